"""The table of vector stores. A new one is one file and one line in `STORES`.

What does not live here: the port (`base`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from motet.errors import SettingInvalid, did_you_mean
from motet.retrieval.vectors.guarded import GuardedStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.retrieval.vectors.base import VectorStore

STORES: dict[str, str] = {
    "chroma": "motet.retrieval.vectors.chroma:ChromaStore",
    "faiss": "motet.retrieval.vectors.faiss:FaissStore",
    "milvus": "motet.retrieval.vectors.milvus:MilvusStore",
    "pgvector": "motet.retrieval.vectors.pgvector:PgvectorStore",
    "weaviate": "motet.retrieval.vectors.weaviate:WeaviateStore",
}
"""What makes each store: `(place: str) -> VectorStore`, the place a path or an address."""


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
