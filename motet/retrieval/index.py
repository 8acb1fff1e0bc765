"""Vector indexes in memory, built from the vectors in the database and kept true to it.

What does not live here: the vectors, which are stored with their passages in one row and one transaction.

Why there is no stored snapshot of the index: a flat index is its vectors. Measured with 20,000 of 384 dimensions on
two busy cores: 0.1 s for one SELECT of them and 0.02 s to build the index; a snapshot in one row took 0.25 s to
read. It would also double the disk, be written again at each change, and could disagree with its rows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from motet.storage.tables import passages
from motet.storage.vectors import VectorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.retrieval.documents import Collection

MAX_VECTORS = 500_000
"""Vectors that are kept in memory, of all collections; 384 dimensions make 0.77 GB of them."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """An index at a revision of its collection."""

    revision: int
    vectors: VectorIndex


class VectorIndexes:
    """The indexes of the collections that were searched last; one of these serves every tenant of a process.

    Changes by other processes are noticed by the collection's revision: its missing vectors are read, those of
    passages that are gone are left out, and the new index takes the old one's place.
    """

    def __init__(self, *, max_vectors: int = MAX_VECTORS) -> None:
        self._max_vectors = max_vectors
        self._snapshots: OrderedDict[tuple[str, str], _Snapshot] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[tuple[str, str], threading.Lock] = {}

    def search(
        self, connection: Connection, collection: Collection, vector: NDArray[np.float32], *, limit: int
    ) -> list[tuple[int, float]]:
        """Find the nearest vectors, on the calling thread.

        Args:
            connection: The one that `collection` was read on, in the same transaction.
            collection: Which one, at which revision.
            vector: Shape (dimension,), of length 1.
            limit: At most this many.

        Returns:
            `(passage_key, cosine)`, nearest first.
        """
        return self._fresh(connection, collection).vectors.search(vector, limit=limit)

    def _fresh(self, connection: Connection, collection: Collection) -> _Snapshot:
        name = (collection.tenant_id, collection.name)
        with self._lock:
            building = self._building.setdefault(name, threading.Lock())
        with building:
            with self._lock:
                old = self._snapshots.get(name)
                if old is not None and old.revision == collection.revision:
                    self._snapshots.move_to_end(name)
                    return old
            fresh = _build(connection, collection, old)
            with self._lock:
                self._snapshots[name] = fresh
                self._snapshots.move_to_end(name)
                self._evict()
            return fresh

    def _evict(self) -> None:
        while (
            len(self._snapshots) > 1
            and sum(len(s.vectors.keys) for s in self._snapshots.values()) > self._max_vectors
        ):
            name, _ = self._snapshots.popitem(last=False)
            self._building.pop(name, None)


def _build(connection: Connection, collection: Collection, old: _Snapshot | None) -> _Snapshot:
    """Build the index at a revision out of the old one and the rows that it lacks."""
    mine = sa.and_(passages.c.tenant_id == collection.tenant_id, passages.c.collection == collection.name)
    wanted = np.fromiter(
        connection.execute(sa.select(passages.c.passage_key).where(mine)).scalars(), np.int64
    )

    def read(missing: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        query = (
            sa.select(passages.c.passage_key, passages.c.vector)
            .where(mine, passages.c.passage_key >= int(missing.min()), passages.c.vector.is_not(None))
            .order_by(passages.c.passage_key)
        )
        found = connection.execute(query).all()
        vectors = np.frombuffer(b"".join([row[1] for row in found]), "<f4")
        return np.array([row[0] for row in found], np.int64), vectors.reshape(-1, collection.dimension)

    before = old.vectors if old is not None else VectorIndex.empty(collection.dimension)
    if before.dimension != collection.dimension:
        before = VectorIndex.empty(collection.dimension)
    return _Snapshot(collection.revision, before.renewed(wanted, read))
