"""The texts by which the store's items are found: embedded once, kept with their vectors, searched through FAISS.

What does not live here: the items themselves (`store`). The index in memory is built from the stored vectors and
follows them by a revision, so what another process wrote is found too.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import sqlalchemy as sa
from langgraph.store.base import get_text_at_path
from sqlalchemy.dialects import postgresql, sqlite

from motet.storage import texts as stored_texts
from motet.storage.tables import store_items, store_revisions
from motet.storage.tables import store_texts as table
from motet.storage.vectors import VectorIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langgraph.store.base import PutOp
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

EMBED_AT_ONCE = 64
"""Texts of another model that a search embeds anew before it begins; `reembed` does the rest."""

NEAREST_AT_FIRST = 64
"""Vectors that are looked at first; four times as many each time that filters leave too few."""

KEYS_AT_ONCE = 500
"""Keys in one statement."""


class Embeds(Protocol):
    """What the store needs of an embedding model."""

    name: str

    @property
    def dimension(self) -> int:
        """Length of its vectors."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 for each text."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 for each text."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """One text of an item."""

    path: str
    place: int
    text: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Outdated:
    """What of a tenant's texts has no vector of this embedder, as far as it was looked at."""

    rows: list[tuple[int, Text]]
    """`(text_key, text)`"""
    has_vectors: bool
    more: bool


def texts_of(op: PutOp) -> list[Text]:
    """Return the texts by which an item is to be found; [] when it is not to be found by any."""
    if op.value is None or op.index is False:
        return []
    return [text for path in dict.fromkeys(op.index or ["$"]) for text in _texts_at(op.value, path)]


class StoreTexts:
    """The texts of one tenant's items. Everything but `embed` works on a connection."""

    def __init__(self, tenant_id: str, embedder: Embeds | None) -> None:
        self._tenant_id = tenant_id
        self.embedder = embedder
        self._mine = table.c.tenant_id == tenant_id
        self._index: tuple[int, VectorIndex] | None = None
        self._building = threading.Lock()

    def known(self, connection: Connection, texts: Iterable[Text]) -> dict[bytes, bytes]:
        """Return the vectors that are stored already for these texts, by digest."""
        if self.embedder is None:
            return {}
        found: dict[bytes, bytes] = {}
        digests = list({text.digest for text in texts})
        for part in _parts(digests):
            query = sa.select(table.c.digest, table.c.vector).where(self._current(), table.c.digest.in_(part))
            found.update((row.digest, row.vector) for row in connection.execute(query))
        return found

    def embed(self, texts: Iterable[Text], known: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the vector of each text, by digest; {} without an embedder. CPU-bound: call it on a thread."""
        if self.embedder is None:
            return {}
        new = {text.digest: text.text for text in texts if text.digest not in known}
        rows = self.embedder.embed_passages(list(new.values())) if new else ()
        return {**known, **{digest: _bytes(row) for digest, row in zip(new, rows, strict=True)}}

    def put(
        self,
        connection: Connection,
        item: tuple[str, str],
        texts: Sequence[Text],
        vectors: Mapping[bytes, bytes],
    ) -> None:
        """Make these the texts of the item `(namespace, key)`. Nothing is written when nothing has changed."""
        name = self.embedder.name if self.embedder else ""
        one = sa.and_(self._mine, table.c.namespace == item[0], table.c.key == item[1])
        stored = {
            (row.path, row.place, row.digest, row.embedder)
            for row in connection.execute(
                sa.select(table.c.path, table.c.place, table.c.digest, table.c.embedder).where(one)
            )
        }
        if stored == {(text.path, text.place, text.digest, name) for text in texts}:
            return
        connection.execute(sa.delete(table).where(one))
        rows = [
            {
                "tenant_id": self._tenant_id,
                "namespace": item[0],
                "key": item[1],
                "path": text.path,
                "place": text.place,
                "digest": text.digest,
                "embedder": name,
                "vector": vectors.get(text.digest),
            }
            for text in texts
        ]
        if rows:
            connection.execute(sa.insert(table), rows)
        self.changed(connection)

    def changed(self, connection: Connection) -> None:
        """Say that vectors came or went, in the same transaction."""
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(store_revisions).values(tenant_id=self._tenant_id, revision=1)
        grown = {"revision": store_revisions.c.revision + 1}
        connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=grown))

    def outdated(self, connection: Connection, *, limit: int) -> Outdated:
        """Return texts that this embedder has not embedded yet: another one did, or none."""
        if self.embedder is None:
            return Outdated([], has_vectors=False, more=False)
        same = sa.and_(
            store_items.c.tenant_id == table.c.tenant_id,
            store_items.c.namespace == table.c.namespace,
            store_items.c.key == table.c.key,
        )
        query = (
            sa.select(table.c.text_key, table.c.path, table.c.place, *_ITEM)
            .join(store_items, same)
            .where(self._mine, table.c.embedder != self.embedder.name)
            .limit(limit + 1)
        )
        rows = connection.execute(query).all()
        texts = stored_texts.texts_of(connection)
        found: list[tuple[int, Text]] = []
        for row in rows[:limit]:
            value = texts.open(row.value, row.tenant_id, store_items.name, row.namespace, row.key)
            found.append((row.text_key, _stored_text(value, row.path, row.place)))
        current = connection.execute(sa.select(table.c.text_key).where(self._current()).limit(1)).first()
        return Outdated(found, has_vectors=bool(rows or current), more=len(rows) > limit)

    def renew(
        self, connection: Connection, rows: Sequence[tuple[int, Text]], vectors: Mapping[bytes, bytes]
    ) -> None:
        """Store the vectors of outdated texts, each in a new row: a key's vector never changes."""
        for part in _parts([key for key, _ in rows]):
            gone = sa.delete(table).where(self._mine, table.c.text_key.in_(part))
            kept = connection.execute(gone.returning(table.c.text_key, table.c.namespace, table.c.key)).all()
            items = {row.text_key: (row.namespace, row.key) for row in kept}
            new = [
                {
                    "tenant_id": self._tenant_id,
                    "namespace": items[key][0],
                    "key": items[key][1],
                    "path": text.path,
                    "place": text.place,
                    "digest": text.digest,
                    "embedder": self.embedder.name if self.embedder else "",
                    "vector": vectors.get(text.digest),
                }
                for key, text in rows
                if key in items
            ]
            if new:
                connection.execute(sa.insert(table), new)
        self.changed(connection)

    def nearest(
        self, connection: Connection, vector: NDArray[np.float32]
    ) -> Iterator[tuple[str, str, float]]:
        """Yield `(namespace, key, cosine)` of the items with a vector, nearest first, each once."""
        index = self._fresh(connection)
        seen: set[tuple[str, str]] = set()
        looked, limit = 0, NEAREST_AT_FIRST
        while looked < len(index.keys):
            hits = index.search(vector, limit=limit)
            new = hits[looked:]
            items = self._items_of(connection, [key for key, _ in new])
            for key, score in new:
                item = items.get(key)
                if item is not None and item not in seen:
                    seen.add(item)
                    yield (*item, score)
            looked, limit = len(hits), limit * 4

    def _items_of(self, connection: Connection, keys: Sequence[int]) -> dict[int, tuple[str, str]]:
        found: dict[int, tuple[str, str]] = {}
        for part in _parts(keys):
            query = sa.select(table.c.text_key, table.c.namespace, table.c.key)
            rows = connection.execute(query.where(self._mine, table.c.text_key.in_(part)))
            found.update((row.text_key, (row.namespace, row.key)) for row in rows)
        return found

    def _fresh(self, connection: Connection) -> VectorIndex:
        """Return the index of this transaction's vectors."""
        if self.embedder is None:
            return VectorIndex.empty(1)
        mine = store_revisions.c.tenant_id == self._tenant_id
        query = sa.select(store_revisions.c.revision).where(mine)
        revision: int = connection.execute(query).scalar() or 0
        with self._building:
            if self._index is None or self._index[0] != revision:
                old = self._index[1] if self._index else VectorIndex.empty(self.embedder.dimension)
                wanted = connection.execute(sa.select(table.c.text_key).where(self._current())).scalars()
                self._index = (
                    revision,
                    old.renewed(
                        np.fromiter(wanted, np.int64), lambda missing: self._vectors(connection, missing)
                    ),
                )
            return self._index[1]

    def _vectors(
        self, connection: Connection, missing: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        query = sa.select(table.c.text_key, table.c.vector).where(
            self._current(), table.c.text_key >= int(missing.min()), table.c.vector.is_not(None)
        )
        rows = connection.execute(query).all()
        vectors = np.frombuffer(b"".join([row.vector for row in rows]), "<f4")
        dimension = self.embedder.dimension if self.embedder else 1
        return np.array([row.text_key for row in rows], np.int64), vectors.reshape(-1, dimension)

    def _current(self) -> sa.ColumnElement[bool]:
        """Say which rows this embedder made. Vectors of two models are never compared."""
        return sa.and_(self._mine, table.c.embedder == (self.embedder.name if self.embedder else ""))


_ITEM = (store_items.c.tenant_id, store_items.c.namespace, store_items.c.key, store_items.c.value)


def _texts_at(value: Mapping[str, Any], path: str) -> list[Text]:
    found = get_text_at_path(value, path)
    return [Text(path, place, text, _digest(text)) for place, text in enumerate(found) if text]


def _stored_text(value: str, path: str, place: int) -> Text:
    """Return a text from its item; blank where the value does not hold it any more."""
    found = get_text_at_path(json.loads(value), path)
    text = found[place] if place < len(found) else ""
    return Text(path, place, text, _digest(text))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _bytes(row: NDArray[np.float32]) -> bytes:
    return row.astype("<f4").tobytes()


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    yield from (keys[start : start + KEYS_AT_ONCE] for start in range(0, len(keys), KEYS_AT_ONCE))
