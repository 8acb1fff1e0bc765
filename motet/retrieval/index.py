"""Vector stores are kept true to the database, and searched.

What does not live here: the vectors, which are stored with their passages in one row and one transaction, and the
stores (`vectors`).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from motet.retrieval.vectors.faiss import FaissStore
from motet.retrieval.words import WordIndexes, best_hits
from motet.storage.cores import Both
from motet.storage.tables import passages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.retrieval.documents import Collection
    from motet.retrieval.vectors.base import VectorStore

MAX_VECTORS = 500_000
"""Vectors that are kept in memory, of all collections; 384 dimensions make 0.77 GB of them."""


class VectorIndexes:
    """The vectors of the collections that were searched last; one of these serves every tenant of a process.

    Changes by other processes are noticed by the collection's revision: what the store lacks is read from the
    database, what it has too much is removed.

    Args:
        store: Where vectors are searched; FAISS unless given.
        max_vectors: How many may be kept where they take memory.
    """

    def __init__(self, store: VectorStore | None = None, *, max_vectors: int = MAX_VECTORS) -> None:
        self.store: VectorStore = store or FaissStore()
        self.words = WordIndexes()
        self.both = Both()
        """For the search by words beside the one by vectors."""
        self._max_vectors = max_vectors
        self._fresh: OrderedDict[str, tuple[int, int]] = (
            OrderedDict()
        )  # by set: its revision, and how many it has
        self._lock = threading.Lock()
        self._renewing: dict[str, threading.Lock] = {}

    def searching(
        self,
        connection: Connection,
        collections: Sequence[Collection],
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> Callable[[], list[tuple[int, float]]]:
        """Bring the sets of collections up to date, on the calling thread, and return the search, for any thread.

        Args:
            connection: The one that the collections were read on, in the same transaction.
            collections: Which ones, each at which revision.
            vector: Shape (dimension,), of length 1.
            limit: At most this many.
            allowed: Only passages with these keys; all unless given.

        Returns:
            What finds `(passage_key, cosine)` of the nearest, nearest first.
        """
        names = [set_name(collection) for collection in collections]
        for collection, name in zip(collections, names, strict=True):
            self._renew(connection, collection, name)

        def search() -> list[tuple[int, float]]:
            found = [self.store.search(name, vector, limit=limit, allowed=allowed) for name in names]
            return best_hits(chain.from_iterable(found), limit)

        return search

    def close(self) -> None:
        """Let go of the store's files and connections."""
        self.store.close()
        self.words.close()

    def _renew(self, connection: Connection, collection: Collection, name: str) -> None:
        with self._lock:
            renewing = self._renewing.setdefault(name, threading.Lock())
        with renewing:
            with self._lock:
                known = self._fresh.get(name)
                if known is not None and known[0] == collection.revision:
                    self._fresh.move_to_end(name)
                    return
            count = _mirror(self.store, connection, collection, name)
            with self._lock:
                self._fresh[name] = (collection.revision, count)
                self._fresh.move_to_end(name)
                self._evict()

    def _evict(self) -> None:
        while (
            not self.store.lasting
            and len(self._fresh) > 1
            and sum(count for _, count in self._fresh.values()) > self._max_vectors
        ):
            name, _ = self._fresh.popitem(last=False)
            self._renewing.pop(name, None)
            self.store.drop(name)


def set_name(collection: Collection) -> str:
    """Return the name of a collection's set of vectors: letters and digits, another for another model."""
    whole = "\x1f".join(
        (collection.tenant_id, collection.name, collection.embedder, str(collection.dimension))
    )
    return "motet_" + hashlib.sha256(whole.encode()).hexdigest()[:24]


def _mirror(store: VectorStore, connection: Connection, collection: Collection, name: str) -> int:
    """Make a set what the database has; return how many vectors it should have."""
    mine = sa.and_(passages.c.tenant_id == collection.tenant_id, passages.c.collection == collection.name)
    wanted = np.fromiter(
        connection.execute(sa.select(passages.c.passage_key).where(mine)).scalars(), np.int64
    )
    have = store.keys(name)
    gone = np.setdiff1d(have, wanted)
    if len(gone):
        store.remove(name, gone)
    missing = np.setdiff1d(wanted, have)
    if len(missing):
        query = (
            sa.select(passages.c.passage_key, passages.c.vector)
            .where(mine, passages.c.passage_key >= int(missing.min()), passages.c.vector.is_not(None))
            .order_by(passages.c.passage_key)
        )
        found = connection.execute(query).all()
        keys = np.array([row[0] for row in found], np.int64)
        rows = np.frombuffer(b"".join([row[1] for row in found]), "<f4").reshape(-1, collection.dimension)
        lacked = np.isin(keys, missing)
        store.add(name, collection.dimension, keys[lacked], rows[lacked])
    return len(wanted)
