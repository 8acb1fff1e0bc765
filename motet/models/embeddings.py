"""Embeddings over OpenAI's wire: OpenAI's own, vLLM's pooling models, and any server that has `/v1/embeddings`.

What does not live here: the embedder that needs no server, and who embeds what (`motet.retrieval`).
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from motet.errors import ModelError
from motet.models.base import ModelSpec
from motet.models.faults import map_errors_now
from motet.models.openai import OpenAICompatibleProvider, OpenAIProvider, VllmProvider
from motet.models.patience import Tries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from motet.settings import Settings

BATCH_TEXTS = 64
"""Most texts of one request."""


class WireEmbedder:
    """An embedding model behind a URL. Blocking: call it on a thread.

    Its dimension is asked for when it is first needed. The same texts go in whatever they are for: models that want a
    prefix for questions get none.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        """Keep the spec; nothing is asked yet.

        Raises:
            SettingInvalid, ModelRefused: The URL or the key that it needs is not set.
        """
        kinds = {"openai": OpenAIProvider, "vllm": VllmProvider}
        self._provider = kinds.get(spec.provider, OpenAICompatibleProvider)(settings)
        self._chat = self._provider.open_chat(spec)
        self._lock = threading.Lock()
        self.name = str(spec)

    @cached_property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._ask(["dimension"]).shape[1])

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return shape (len(texts), dimension), each row of length 1; no texts give (0, dimension).

        Raises:
            ModelError: The server fails, or has no such model.
        """
        rows = [self._ask(texts[at : at + BATCH_TEXTS]) for at in range(0, len(texts), BATCH_TEXTS)]
        return np.vstack(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Do the same for passages."""
        return self.embed_queries(texts)

    def close(self) -> None:
        """Close the connections."""
        self._chat.root_client.close()

    def _ask(self, texts: Sequence[str]) -> NDArray[np.float32]:
        spec = self._chat.spec
        tries = Tries(self._chat.patience, spec.name, spec.base_url)
        # Blank texts are refused by some servers; half a surrogate pair has no UTF-8.
        safe = [text.encode("utf-8", "replace").decode() or " " for text in texts]
        while True:
            tries.begin_now()
            try:
                with self._lock, map_errors_now(spec):
                    reply = self._chat.root_client.embeddings.create(model=spec.name, input=safe)
                    found = np.array([one.embedding for one in reply.data], dtype=np.float32)
                if found.ndim != 2 or len(found) != len(texts):
                    raise ModelError(f"{self.name} sent {len(found)} vectors for {len(texts)} texts.")
            except ModelError as error:
                tries.failed_now(error)
            else:
                tries.ended()
                self.__dict__.setdefault(
                    "dimension", int(found.shape[1])
                )  # it need not be asked for by itself
                return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def wire_embedder(name: str, settings: Settings) -> WireEmbedder:
    """Return the embedder of a spec, `openai:NAME`, `vllm:NAME` or `PROVIDER:NAME@URL`.

    Raises:
        InvalidInput: The spec cannot be read.
        SettingInvalid, ModelRefused: The URL or the key that it needs is not set.
    """
    return WireEmbedder(ModelSpec.parse(name), settings)
