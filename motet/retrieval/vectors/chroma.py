"""Chroma: a folder of its own on this machine, or a server (`http://host:8000`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from motet.errors import SettingInvalid
from motet.retrieval.vectors.base import BATCH, library

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ChromaStore:
    """A collection for each set; the key is the id, as text, and stands in the metadata to be filtered by.

    Args:
        place: A folder, or a server's address.

    Raises:
        ExtraMissing: chromadb is not installed.
        SettingInvalid: No place.
    """

    lasting = True

    def __init__(self, place: str) -> None:
        chroma: Any = library("chromadb", "chroma")
        if not place:
            raise SettingInvalid(
                "The vector store chroma needs a folder or an address: set MOTET_VECTORS_AT."
            )
        self._missing: Any = library("chromadb.errors", "chroma").NotFoundError
        quiet = chroma.config.Settings(anonymized_telemetry=False)
        if "://" in place:
            at = urlsplit(place)
            tls = at.scheme == "https"
            port = at.port or (443 if tls else 8000)
            self._client = chroma.HttpClient(host=at.hostname, port=port, ssl=tls, settings=quiet)
        else:
            self._client = chroma.PersistentClient(path=place, settings=quiet)

    def keys(self, name: str) -> NDArray[np.int64]:
        """See `VectorStore.keys`."""
        found = self._set(name)
        ids = found.get(include=[])["ids"] if found is not None else []
        return np.array([int(key) for key in ids], np.int64)

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See `VectorStore.add`."""
        del dimension  # taken from the first vector
        made = self._client.get_or_create_collection(
            name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        for at in range(0, len(keys), BATCH):
            part = keys[at : at + BATCH].tolist()
            made.upsert(
                ids=[str(key) for key in part],
                embeddings=vectors[at : at + BATCH],
                metadatas=[{"key": key} for key in part],
            )

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """See `VectorStore.remove`."""
        found = self._set(name)
        if found is None:
            return
        for at in range(0, len(keys), BATCH):
            found.delete(ids=[str(key) for key in keys[at : at + BATCH].tolist()])

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """See `VectorStore.search`."""
        found = self._set(name)
        count = min(limit, found.count() if found is not None else 0)
        if found is None or count < 1 or (allowed is not None and not len(allowed)):
            return []
        where = None if allowed is None else {"key": {"$in": allowed.tolist()}}
        hits = found.query(query_embeddings=[vector], n_results=count, where=where, include=["distances"])
        pairs = zip(hits["ids"][0], hits["distances"][0], strict=True)
        return [(int(key), 1 - float(distance)) for key, distance in pairs]

    def drop(self, name: str) -> None:
        """See `VectorStore.drop`."""
        if self._set(name) is not None:
            self._client.delete_collection(name)

    def close(self) -> None:
        """See `VectorStore.close`."""
        close = getattr(self._client, "close", None)
        if close is not None:
            close()

    def _set(self, name: str) -> Any:
        try:
            return self._client.get_collection(name, embedding_function=None)
        except self._missing:
            return None
