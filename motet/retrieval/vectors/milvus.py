"""Milvus: a file on this machine (Milvus Lite), or a server (`http://host:19530`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from motet.errors import SettingInvalid
from motet.retrieval.vectors.base import BATCH, library

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MilvusStore:
    """A collection for each set, by cosine.

    Args:
        place: A file that ends in `.db`, or a server's address.

    Raises:
        ExtraMissing: pymilvus is not installed.
        SettingInvalid: No place.
    """

    lasting = True

    def __init__(self, place: str) -> None:
        pymilvus: Any = library("pymilvus", "milvus")
        if not place:
            raise SettingInvalid("The vector store milvus needs a file or an address: set MOTET_VECTORS_AT.")
        self._client = pymilvus.MilvusClient(uri=place)

    def keys(self, name: str) -> NDArray[np.int64]:
        """See `VectorStore.keys`."""
        if not self._client.has_collection(name):
            return np.empty(0, np.int64)
        rows = self._client.query_iterator(name, batch_size=BATCH, output_fields=["id"])
        found: list[int] = []
        while part := rows.next():
            found += [int(row["id"]) for row in part]
        rows.close()
        return np.array(found, np.int64)

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See `VectorStore.add`."""
        if not self._client.has_collection(name):
            self._client.create_collection(
                name, dimension=dimension, metric_type="COSINE", consistency_level="Strong"
            )
        for at in range(0, len(keys), BATCH):
            part = zip(keys[at : at + BATCH].tolist(), vectors[at : at + BATCH].tolist(), strict=True)
            self._client.upsert(name, [{"id": key, "vector": vector} for key, vector in part])

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """See `VectorStore.remove`."""
        if not self._client.has_collection(name):
            return
        for at in range(0, len(keys), BATCH):
            self._client.delete(name, ids=keys[at : at + BATCH].tolist())

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """See `VectorStore.search`."""
        if not self._client.has_collection(name) or (allowed is not None and not len(allowed)):
            return []
        asked = "" if allowed is None else f"id in {allowed.tolist()}"
        hits = self._client.search(name, data=[vector.tolist()], limit=limit, filter=asked)
        return [(int(hit["id"]), float(hit["distance"])) for hit in hits[0]]

    def drop(self, name: str) -> None:
        """See `VectorStore.drop`."""
        if self._client.has_collection(name):
            self._client.drop_collection(name)

    def close(self) -> None:
        """See `VectorStore.close`."""
        self._client.close()
