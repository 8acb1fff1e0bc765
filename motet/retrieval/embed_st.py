"""Embedding models through sentence-transformers, in this process: BGE and any other by its name or its folder.

What does not live here: fetching weights, which the library does by itself where a name is no folder.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from motet.errors import ExtraMissing, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

QUERY_PROMPTS = {
    "bge-small-en": "Represent this sentence for searching relevant passages: ",
    "bge-base-en": "Represent this sentence for searching relevant passages: ",
    "bge-large-en": "Represent this sentence for searching relevant passages: ",
    "bge-small-zh": "为这个句子生成表示以用于检索相关文章：",
    "bge-base-zh": "为这个句子生成表示以用于检索相关文章：",
    "bge-large-zh": "为这个句子生成表示以用于检索相关文章：",
}
"""What BGE's first models want before a question (their model cards); bge-m3 wants nothing."""


class SentenceTransformersEmbedder:
    """A model of the library's; it loads at the first call, and calls take turns.

    Args:
        model: A name on the hub, or a folder.

    Raises:
        ExtraMissing: sentence-transformers is not installed.
    """

    def __init__(self, model: str) -> None:
        try:
            self._library = import_module("sentence_transformers")
        except ImportError:
            raise ExtraMissing(
                f"The embedding model {model} needs sentence-transformers: "
                'pip install "motet[sentence-transformers]".',
                extra="sentence-transformers",
            ) from None
        self.name = f"sentence-transformers:{model}"
        self._model_name = model
        last = model.rstrip("/").rpartition("/")[2].lower()
        self._prompt = next((text for start, text in QUERY_PROMPTS.items() if last.startswith(start)), None)
        self._lock = threading.Lock()
        self._model: Any = None

    @property
    def dimension(self) -> int:
        """Numbers in each vector; the model is loaded to know."""
        with self._lock:
            model = self._loaded()  # its method has a new name in later versions
            ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
            return int(ask())

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return shape (len(texts), dimension), each row of length 1; no texts give (0, dimension).

        Raises:
            ModelError: The model cannot be loaded.
        """
        return self._embed(texts, "encode_query", self._prompt)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `embed_queries`."""
        return self._embed(texts, "encode_document", None)

    def _embed(self, texts: Sequence[str], way: str, prompt: str | None) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        safe = [text.encode("utf-8", "replace").decode() for text in texts]
        with self._lock:
            model = self._loaded()
            encode = getattr(model, way, model.encode)
            options: dict[str, Any] = {"prompt": prompt} if prompt else {}
            rows = encode(safe, normalize_embeddings=True, show_progress_bar=False, **options)
        return np.asarray(rows, np.float32)

    def _loaded(self) -> Any:
        if self._model is None:
            with suppress(ImportError, AttributeError):  # its bars would be drawn over Motet's own
                import_module("transformers.utils.logging").disable_progress_bar()
            try:
                self._model = self._library.SentenceTransformer(self._model_name)
            except Exception as error:  # an edge: the hub's client and torch raise errors of their own
                raise ModelError(
                    f"The embedding model {self.name} cannot be loaded ({type(error).__name__}). "
                    "Name a folder that holds it, or let this machine reach the hub."
                ) from error
        return self._model
