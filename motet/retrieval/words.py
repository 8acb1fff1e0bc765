"""The ranking by words of large collections, in memory: BM25 over the rows of each word that was asked for.

What does not live here: reading the rows of a word (`storage.postings`), and small collections, which SQLite ranks
itself (`storage.fulltext`).

A word's rows are read when it is first asked for, and kept; after a change only those of new passages are read. Keys
are never used twice, so what was removed needs no reading at all.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from motet.storage.fulltext import MAX_TERMS
from motet.storage.postings import Stems, numbers, read_lengths, read_postings
from motet.storage.search import terms
from motet.storage.tables import passages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.retrieval.documents import Collection
    from motet.storage.search import Cut

LARGE = 5_000
"""Passages from which on a collection is ranked here."""

OLD_KEYS = 8
"""Revisions whose keys are kept; a word that was last asked for before them is read anew."""

MAX_ROWS = 20_000_000
"""Rows of words that are kept, 10 bytes each, of all collections; those that were asked for last."""

COMMON = 0.25
"""A word that this part of the passages has is kept with a weight for each passage: adding all is quicker."""

K1, B, LEAST = 1.2, 0.75, 1e-6
"""Those that FTS5 has; `LEAST` is the weight of a word that most passages have. A row's scope is one of its words."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where a word stands, at one revision of its collection."""

    revision: int
    newest: int
    """Highest key of the collection then: what is above was not read."""
    at: NDArray[np.int32]
    """Places in the collection's `keys`."""
    counts: NDArray[np.uint16]
    weights: NDArray[np.float32]
    """What BM25 gives each row before the word's own weight; of a common word, each passage of the collection."""


@dataclass(slots=True)
class _Words:
    """A collection at one revision."""

    revision: int = -1
    keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    old_keys: dict[int, NDArray[np.int64]] = field(default_factory=dict[int, "NDArray[np.int64]"])
    """By revision: what the places of rows that were not renewed yet are places in."""
    burden: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    """What a passage's length adds below the line of BM25's fraction."""
    lengths: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    lock: threading.Lock = field(default_factory=threading.Lock)


def best_hits(hits: Iterable[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
    """Return the best `(key, score)`, best first, ties in the order of the keys."""
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:limit]


class WordIndexes:
    """The words of the large collections that were searched; one of these serves every tenant of a process."""

    def __init__(self, *, large: int = LARGE, max_rows: int = MAX_ROWS) -> None:
        self._large, self._max_rows = large, max_rows
        self._stems = Stems()
        self._collections: dict[str, _Words] = {}
        self._rows: OrderedDict[tuple[str, str], _Rows] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def search(
        self,
        connection: Connection,
        collection: Collection,
        query: str,
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
        cut: Cut | None = None,
    ) -> list[tuple[int, float]] | None:
        """Find the passages that have any of a query's words, on the calling thread.

        Args:
            connection: The one that `collection` was read on, in the same transaction.
            collection: Which one, at which revision.
            query: Plain text.
            limit: At most this many.
            allowed: Only passages with these keys; all unless given.
            cut: How the collection's Chinese was cut.

        Returns:
            `(passage_key, score)`, best first, ties in the order of the keys; None for a collection that is not
            ranked here: one that is small, or not in SQLite.
        """
        if connection.dialect.name != "sqlite":
            return None
        with self._lock:
            words = self._collections.setdefault(collection.scope, _Words())
        with words.lock:
            if words.revision != collection.revision:
                _renew(words, connection, collection, self._large)
            if not len(words.keys):
                return None
            stems = self._stems.of(list(dict.fromkeys(terms(query, cut)))[:MAX_TERMS])
            found = [self._read(words, connection, collection.scope, stem) for stem in stems]
            return _best(words, found, limit, allowed)

    def close(self) -> None:
        """Let go of what is kept; the next search reads it again."""
        with self._lock:
            self._stems.close()
            self._collections.clear()
            self._rows.clear()
            self._held = 0

    def _read(self, words: _Words, connection: Connection, scope: str, stem: str) -> _Rows:
        with self._lock:
            known = self._rows.pop((scope, stem), None)
            self._held -= len(known.at) if known is not None else 0
        made = _renewed(known, words, connection, stem)
        with self._lock:
            self._rows[scope, stem] = made
            self._held += len(made.at)
            while self._held > self._max_rows and len(self._rows) > 1:
                self._held -= len(self._rows.popitem(last=False)[1].at)
        return made


def _renew(words: _Words, connection: Connection, collection: Collection, large: int) -> None:
    """Bring a collection's keys and lengths to its present revision."""
    mine = sa.and_(passages.c.tenant_id == collection.tenant_id, passages.c.collection == collection.name)
    joined = connection.execute(sa.select(sa.func.group_concat(passages.c.passage_key)).where(mine)).scalar()
    keys = np.sort(numbers(joined))
    if collection.revision < words.revision or len(keys) < large:
        words.old_keys.clear()
        words.revision = -1
        words.keys, words.lengths = np.empty(0, np.int64), np.empty(0, np.float32)
    if len(keys) >= large:
        newest = int(words.keys[-1]) if len(words.keys) else 0
        new = sa.select(passages.c.passage_key).where(mine, passages.c.passage_key > newest)
        _, lengths = read_lengths(connection, "passages", new)
        words.lengths = np.concatenate([words.lengths[np.isin(words.keys, keys)], lengths + 1])
        words.old_keys[words.revision] = words.keys
        for old in sorted(words.old_keys)[:-OLD_KEYS]:
            del words.old_keys[old]
        words.keys = keys
        mean = np.float32(words.lengths.mean())
        words.burden = np.float32(K1) * (np.float32(1 - B) + np.float32(B) * words.lengths / mean)
    words.revision = collection.revision


def _renewed(known: _Rows | None, words: _Words, connection: Connection, stem: str) -> _Rows:
    """Return a word's rows at the present revision: those that are known and still there, and the new ones."""
    if known is not None and known.revision == words.revision:
        return known
    old_keys = words.old_keys.get(known.revision) if known is not None else None  # none too for a later one
    before = known.newest if known is not None and old_keys is not None else 0
    keys, counts = read_postings(connection, "passages", stem, after=before)
    if known is not None and old_keys is not None:
        keys, counts = (
            np.concatenate([old_keys[known.at], keys]),
            np.concatenate([known.counts, counts], dtype=np.float32),
        )
    at = np.searchsorted(words.keys, keys)
    here = (at < len(words.keys)) & (words.keys[np.minimum(at, len(words.keys) - 1)] == keys)
    at, counts = at[here].astype(np.int32), counts[here]
    weights = np.divide(counts, counts + words.burden[at], dtype=np.float32)
    if len(at) >= COMMON * len(words.keys):
        each = np.zeros(len(words.keys), np.float32)
        each[at] = weights
        weights = each
    return _Rows(words.revision, int(words.keys[-1]), at, counts.astype(np.uint16), weights)


def _best(
    words: _Words, found: Sequence[_Rows], limit: int, allowed: NDArray[np.int64] | None
) -> list[tuple[int, float]]:
    """Rank the passages that have any of the words, as FTS5's `bm25()` does: the order is the same.

    Source: https://sqlite.org/fts5.html#the_bm25_function
    """
    total = len(words.keys)
    scores = np.zeros(total, np.float32)
    for rows in found:
        if len(rows.at):
            rare = max(math.log((total - len(rows.at) + 0.5) / (len(rows.at) + 0.5)), LEAST)
            given = np.float32(rare * (K1 + 1)) * rows.weights
            if len(given) == total:
                scores += given
            else:
                scores[rows.at] += given
    if allowed is not None:
        scores[~np.isin(words.keys, allowed)] = 0
    count = min(limit, int(np.count_nonzero(scores)))
    if not count:
        return []
    lowest = np.partition(scores, total - count)[total - count]
    places = np.flatnonzero(scores >= lowest)
    order = places[np.lexsort((places, -scores[places]))][:count]
    return [(int(words.keys[at]), float(scores[at])) for at in order]
