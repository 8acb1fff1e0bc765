"""The port of vector stores, and the table of them. A new one is one file and one line in `STORES`.

What does not live here: what is in them. Every vector stands in the database, in its passage's row; a store is a mirror
that may lose everything: what it lacks is written again, what it has too much is removed (`index`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from motet.errors import ExtraMissing, SettingInvalid, did_you_mean
from motet.retrieval.vectors.guarded import GuardedStore

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

STORES: dict[str, str] = {
    "chroma": "motet.retrieval.vectors.chroma:ChromaStore",
    "faiss": "motet.retrieval.vectors.faiss:FaissStore",
    "milvus": "motet.retrieval.vectors.milvus:MilvusStore",
    "pgvector": "motet.retrieval.vectors.pgvector:PgvectorStore",
    "weaviate": "motet.retrieval.vectors.weaviate:WeaviateStore",
}
"""What makes each store: `(place: str) -> VectorStore`, the place a path or an address."""

BATCH = 1_000
"""Vectors that are written to a server at once."""


class VectorStore(Protocol):
    """Sets of vectors by name. Blocking; calls for one set come one at a time, but for searches."""

    lasting: bool
    """What is written is there after a restart, and costs this process no memory."""

    def keys(self, name: str) -> NDArray[np.int64]:
        """Return the keys of a set in any order; none for a set that was never written."""
        ...

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write vectors, shape (keys, dimension), each of length 1; a key that is there is written again."""
        ...

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """Take vectors out; a key that is not there is passed over."""
        ...

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """Find the nearest.

        Args:
            name: The set; one that was never written finds nothing.
            vector: Shape (dimension,), of length 1.
            limit: At most this many.
            allowed: Only these keys; all unless given.

        Returns:
            `(key, cosine)`, nearest first.
        """
        ...

    def drop(self, name: str) -> None:
        """Forget a set; one that is not there is passed over."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def build_store(name: str, place: str = "") -> VectorStore:
    """Return a store by its name in `STORES`.

    Raises:
        SettingInvalid: The name is unknown, or the store needs another place.
        ExtraMissing: Its library is not installed; the message says what to install.
        DatabaseUnavailable: It cannot be opened. The store's own methods raise it too.
    """
    if name not in STORES:
        raise SettingInvalid(
            f"Unknown vector store '{name}'.{did_you_mean(name, STORES)}",
            setting="retrieval.vectors",
        )
    module, _, made = STORES[name].partition(":")
    make: Callable[[str], Any] = getattr(import_module(module), made)
    return GuardedStore(name, place, make) if place else make(place)


def library(module: str, extra: str) -> Any:
    """Return a store's library.

    Raises:
        ExtraMissing: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ExtraMissing(
            f'The vector store {extra} needs {error.name or module}: pip install "motet[{extra}]".',
            extra=extra,
        ) from None
