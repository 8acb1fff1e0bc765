"""What SQLite's full-text index holds of one word: in which rows it stands, and how often; and how long rows are.

What does not live here: ranking (`storage.fulltext` for small indexes, `retrieval.words` for large ones). FTS5's own
`bm25()` looks at each row that has any word of a question, a microsecond or two a row: with 100,000 rows a question
takes a tenth of a second.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from motet.storage.fulltext import INDEXES
from motet.storage.ready import Ready

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    Counts = tuple[NDArray[np.int64], NDArray[np.float32]]
    """Keys, ascending, and a number for each."""

MAX_STEMS = 50_000

_KEYS = {
    index: Ready(
        sa.select(sa.func.group_concat(sa.column("doc")).label("joined"))
        .select_from(sa.table(f"fts_{index}_instances"))
        .where(sa.column("term") == sa.bindparam("stem"), sa.column("doc") > sa.bindparam("after"))
    )
    for index in INDEXES
}


class Stems:
    """Words as the index has them, by FTS5's own tokenizer: folded, without accents, an English word's stem."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._index: sqlite3.Connection | None = None

    def close(self) -> None:
        """Let go of the tokenizer's index; it is made again when it is needed."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _open(self) -> sqlite3.Connection:
        index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        index.execute(
            "CREATE VIRTUAL TABLE words USING fts5(word, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        index.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, row)")
        return index

    def of(self, words: Sequence[str]) -> list[str]:
        """Return the stems of words, each once, in the order of the words."""
        with self._lock:
            if len(self._known) > MAX_STEMS:
                self._known.clear()
            for word in words:
                if word not in self._known:
                    self._known[word] = self._ask(word)
            return list(dict.fromkeys(stem for word in words for stem in self._known[word]))

    def _ask(self, word: str) -> tuple[str, ...]:
        self._index = self._index or self._open()
        self._index.execute("INSERT INTO words (rowid, word) VALUES (1, ?)", [word])
        found = tuple(stem for (stem,) in self._index.execute("SELECT term FROM stems"))
        self._index.execute("DELETE FROM words WHERE rowid = 1")
        return found


def read_postings(connection: Connection, index: str, stem: str, *, after: int) -> Counts:
    """Return the rows that have a stem and how often it stands in each; those with keys above `after` alone.

    Args:
        connection: One to SQLite.
        index: Name of the full-text index.
        stem: See `Stems`.
        after: 0 for all rows.
    """
    found = _KEYS[index].one(connection, {"stem": stem, "after": after})
    keys, counts = np.unique(numbers(found.joined), return_counts=True)
    return keys, counts.astype(np.float32)


def read_lengths(connection: Connection, index: str, rows: sa.Select[Any]) -> Counts:
    """Return how many words each of some rows has.

    Args:
        connection: One to SQLite.
        index: Name of the full-text index.
        rows: Selects their keys.
    """
    sizes = sa.table(f"fts_{index}_docsize", sa.column("id"), sa.column("sz"))
    found = connection.execute(
        sa.select(sizes.c.id, sizes.c.sz).where(sizes.c.id.in_(rows)).order_by(sizes.c.id)
    ).all()
    keys = np.fromiter((key for key, _ in found), np.int64, len(found))
    return keys, np.fromiter((_last_number(sizes) for _, sizes in found), np.float32, len(found))


def numbers(joined: str | None) -> NDArray[np.int64]:
    """Return the numbers of a `group_concat`; none for none."""
    return np.fromstring(joined, np.int64, sep=",") if joined else np.empty(0, np.int64)


def _last_number(sizes: bytes) -> int:
    """Return the words of a row's last column: FTS5 writes one number a column, 7 bits a byte, high ones first."""
    number = sizes[-1]
    for place, byte in enumerate(reversed(sizes[:-1]), 1):
        if byte < 128:
            break
        number += (byte & 127) << (7 * place)
    return number
