"""Weaviate: a server (`http://host:8080`), spoken to by HTTP and gRPC."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from motet.errors import SettingInvalid
from motet.retrieval.vectors.base import BATCH, library

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRPC_PORT = 50_051
_KEYS = uuid.UUID("6d6f7465-7400-4000-8000-000000000000")
"""Namespace of the objects' ids, which are made of the keys."""


class WeaviateStore:
    """A collection for each set, with vectors of one's own and the key as a property.

    Args:
        place: The server's address; `?grpc=PORT` names another port for gRPC.

    Raises:
        ExtraMissing: weaviate-client is not installed.
        SettingInvalid: No address.
    """

    lasting = True

    def __init__(self, place: str) -> None:
        self._weaviate: Any = library("weaviate", "weaviate")
        at = urlsplit(place)
        if not at.hostname:
            raise SettingInvalid(
                "The vector store weaviate needs its address (http://host:8080): set MOTET_VECTORS_AT."
            )
        tls = at.scheme == "https"
        self._client = self._weaviate.connect_to_custom(
            http_host=at.hostname,
            http_port=at.port or (443 if tls else 8080),
            http_secure=tls,
            grpc_host=at.hostname,
            grpc_port=int(parse_qs(at.query).get("grpc", [GRPC_PORT])[0]),
            grpc_secure=tls,
            skip_init_checks=True,  # they ask a package registry for the library's newest version
        )

    def keys(self, name: str) -> NDArray[np.int64]:
        """See `VectorStore.keys`."""
        found = self._set(name)
        rows = found.iterator(return_properties=["key"]) if found is not None else ()
        return np.array([int(row.properties["key"]) for row in rows], np.int64)

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See `VectorStore.add`."""
        del dimension  # taken from the first vector
        classes = self._weaviate.classes
        made = self._set(name)
        if made is None:  # not by its truth: that is asked of the server, and false where it is empty
            made = self._client.collections.create(
                _class(name),
                properties=[classes.config.Property(name="key", data_type=classes.config.DataType.INT)],
                vector_config=classes.config.Configure.Vectors.self_provided(
                    vector_index_config=classes.config.Configure.VectorIndex.hnsw(
                        distance_metric=classes.config.VectorDistances.COSINE
                    )
                ),
            )
        for at in range(0, len(keys), BATCH):
            part = zip(keys[at : at + BATCH].tolist(), vectors[at : at + BATCH].tolist(), strict=True)
            made.data.insert_many(
                [
                    classes.data.DataObject(uuid=_id(key), properties={"key": key}, vector=vector)
                    for key, vector in part
                ]
            )

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """See `VectorStore.remove`."""
        found = self._set(name)
        if found is None:
            return
        by_key = self._weaviate.classes.query.Filter.by_property("key")
        for at in range(0, len(keys), BATCH):
            found.data.delete_many(where=by_key.contains_any(keys[at : at + BATCH].tolist()))

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
        if found is None or (allowed is not None and not len(allowed)):
            return []
        query = self._weaviate.classes.query
        only = None if allowed is None else query.Filter.by_property("key").contains_any(allowed.tolist())
        hits = found.query.near_vector(
            near_vector=vector.tolist(),
            limit=limit,
            filters=only,
            return_metadata=query.MetadataQuery(distance=True),
            return_properties=["key"],
        )
        return [(int(hit.properties["key"]), 1 - float(hit.metadata.distance)) for hit in hits.objects]

    def drop(self, name: str) -> None:
        """See `VectorStore.drop`."""
        self._client.collections.delete(_class(name))

    def close(self) -> None:
        """See `VectorStore.close`."""
        self._client.close()

    def _set(self, name: str) -> Any:
        there = self._client.collections.exists(_class(name))
        return self._client.collections.use(_class(name)) if there else None


def _class(name: str) -> str:
    """Return the name as Weaviate wants it: it begins with a capital."""
    return name[:1].upper() + name[1:]


def _id(key: int) -> uuid.UUID:
    return uuid.uuid5(_KEYS, str(key))
