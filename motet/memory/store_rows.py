"""The rows of the store's items: get, search, list, put and expire, each as a function of a connection.

What does not live here: how a batch goes about it (`store`), how items are found by meaning (`store_texts`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)
from sqlalchemy.dialects import postgresql, sqlite

from motet.errors import InvalidInput
from motet.memory.store_filter import check_filter, matches, passes
from motet.memory.store_texts import StoreTexts, Text, texts_of
from motet.storage import texts as stored_texts
from motet.storage.clock import db_now
from motet.storage.search import terms
from motet.storage.tables import store_items as table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langgraph.store.base import Op
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection, Row

_END = "\x1f"
"""Ends each label of a stored namespace, so that a prefix of labels is a prefix of the text."""


@dataclass(frozen=True, slots=True)
class Put:
    """A write as it goes to the database."""

    op: PutOp
    value: str | None
    texts: list[Text]


@dataclass(slots=True)
class Reading:
    """What the reading operations of a batch are given, and what they leave to be written."""

    query_vectors: dict[str, NDArray[Any]]
    refreshed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """`(namespace, key)` of the items whose time begins anew because they were read."""


class StoreRows:
    """The items of one tenant."""

    def __init__(self, tenant_id: str, texts: StoreTexts, ttl: TTLConfig | None) -> None:
        self._tenant_id = tenant_id
        self._texts = texts
        self._refresh = ttl.get("refresh_on_read", True) if ttl else True

    def read(self, connection: Connection, op: Op, reading: Reading) -> Result:
        """Do a reading operation; None for any other."""
        if isinstance(op, GetOp):
            found = self._get(connection, op)
            self._note_refresh(op, [] if found is None else [found], reading)
            return Item(**_fields(connection, found)) if found is not None else None
        if isinstance(op, SearchOp):
            rows = list(self._search(connection, op, reading.query_vectors))
            self._note_refresh(op, [row for row, _ in rows], reading)
            return [SearchItem(**_fields(connection, row), score=score) for row, score in rows]
        return self._namespaces(connection, op) if isinstance(op, ListNamespacesOp) else None

    def _get(self, connection: Connection, op: GetOp) -> Row[Any] | None:
        one = self._one(_join(op.namespace), op.key)
        return connection.execute(sa.select(table).where(self._alive(), one)).first()

    def _search(
        self, connection: Connection, op: SearchOp, query_vectors: dict[str, NDArray[Any]]
    ) -> Iterator[tuple[Row[Any], float | None]]:
        """Yield the rows from `offset` on, best first, with their scores; of the newest first without a query."""
        end = None if op.limit < 0 else op.offset + op.limit
        if not op.query:
            ranked = ((row, None) for row in self._passing(connection, op))
        elif op.query in query_vectors:
            ranked = self._by_meaning(connection, op, query_vectors[op.query])
        else:
            ranked = self._by_words(connection, op)
        yield from islice(ranked, max(op.offset, 0), end)

    def _by_meaning(
        self, connection: Connection, op: SearchOp, vector: NDArray[Any]
    ) -> Iterator[tuple[Row[Any], float | None]]:
        """Yield what passes, nearest first, by cosine; then what has no vector, without a score."""
        prefix = _join(op.namespace_prefix)
        seen: set[tuple[str, str]] = set()
        for namespace, key, score in self._texts.nearest(connection, vector):
            if not namespace.startswith(prefix):
                continue
            query = sa.select(table).where(self._alive(), self._one(namespace, key))
            row = connection.execute(query).first()
            if row is not None and passes(_value(connection, row), op.filter or {}):
                seen.add((namespace, key))
                yield row, score
        yield from (
            (row, None) for row in self._passing(connection, op) if (row.namespace, row.key) not in seen
        )

    def _by_words(self, connection: Connection, op: SearchOp) -> Iterator[tuple[Row[Any], float | None]]:
        """Yield what passes by the share of the query's words that stand in it."""
        wanted = set(terms(op.query or ""))
        scored = [
            (len(wanted & set(terms(" ".join(_leaves(_value(connection, row)))))) / max(len(wanted), 1), row)
            for row in self._passing(connection, op)
        ]
        scored.sort(key=lambda pair: pair[0], reverse=True)
        yield from ((row, score) for score, row in scored)

    def _passing(self, connection: Connection, op: SearchOp) -> Iterator[Row[Any]]:
        """Yield the living items below the prefix that pass the filter, the newest first."""
        prefix = table.c.namespace.startswith(_join(op.namespace_prefix), autoescape=True)
        query = sa.select(table).where(self._alive(), prefix).order_by(table.c.updated_at.desc(), table.c.key)
        if not op.filter and not op.query and op.limit >= 0:
            query = query.limit(op.offset + op.limit)
        for row in connection.execute(query):
            if not op.filter or passes(_value(connection, row), op.filter):
                yield row

    def _namespaces(self, connection: Connection, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        query = sa.select(table.c.namespace).where(self._alive()).distinct()
        found = [_split(text) for text in connection.execute(query).scalars()]
        wanted = [
            ns for ns in found if all(matches(ns, condition) for condition in op.match_conditions or ())
        ]
        cut = sorted({ns[: op.max_depth] if op.max_depth else ns for ns in wanted})
        return cut[op.offset : op.offset + op.limit]

    def _note_refresh(self, op: GetOp | SearchOp, rows: Sequence[Row[Any]], reading: Reading) -> None:
        asked: Any = op.refresh_ttl  # None in operations that are made by hand
        if self._refresh if asked is None else asked:
            reading.refreshed.update((row.namespace, row.key) for row in rows if row.ttl_s is not None)

    def _alive(self) -> sa.ColumnElement[bool]:
        fresh = sa.or_(table.c.expires_at.is_(None), table.c.expires_at > db_now())
        return sa.and_(table.c.tenant_id == self._tenant_id, fresh)

    def write(
        self,
        connection: Connection,
        puts: Sequence[Put],
        vectors: dict[bytes, bytes],
        refreshed: Iterable[tuple[str, str]],
    ) -> None:
        """Delete what has expired, give what was read its time anew, then put."""
        self.sweep(connection)
        for namespace, key in sorted(refreshed):
            change = sa.update(table).where(self._one(namespace, key), table.c.ttl_s.is_not(None))
            connection.execute(change.values(expires_at=db_now() + table.c.ttl_s))
        for put in puts:
            self._put(connection, put, vectors)

    def _put(self, connection: Connection, put: Put, vectors: dict[bytes, bytes]) -> None:
        namespace, key = _join(put.op.namespace), put.op.key
        if put.value is None:
            if connection.execute(sa.delete(table).where(self._one(namespace, key))).rowcount:
                self._texts.changed(connection)
            return
        texts = stored_texts.texts_of(connection)
        ttl_s = None if put.op.ttl is None else put.op.ttl * 60.0
        values: dict[str, Any] = {
            "value": texts.close(put.value, self._tenant_id, table.name, namespace, key),
            "updated_at": db_now(),
            "ttl_s": ttl_s,
            "expires_at": None if ttl_s is None else db_now() + ttl_s,
        }
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = {"tenant_id": self._tenant_id, "namespace": namespace, "key": key, **values}
        statement = insert(table).values(created_at=db_now(), **row)
        keys = ["tenant_id", "namespace", "key"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))
        self._texts.put(connection, (namespace, key), put.texts, vectors)

    def sweep(self, connection: Connection) -> int:
        """Delete what has expired; return how many items that were."""
        mine = table.c.tenant_id == self._tenant_id
        gone = connection.execute(sa.delete(table).where(mine, table.c.expires_at <= db_now())).rowcount
        if gone:
            self._texts.changed(connection)
        return gone

    def _one(self, namespace: str, key: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            table.c.tenant_id == self._tenant_id, table.c.namespace == namespace, table.c.key == key
        )


def check(op: Op) -> None:
    """Refuse an operation that no store could do, before anything is read or written."""
    validate_op_namespace(op)
    if isinstance(op, SearchOp):
        check_filter(op.filter or {})
    if isinstance(op, GetOp | PutOp):
        _check_name(op.key, "key")


def _check_name(name: str, what: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"The {what} {name!r} is not text: it holds half of a character.") from None
    if _END in name or "\x00" in name:
        raise InvalidInput(f"The {what} {name!r} holds a control character.")


def last_puts(ops: Iterable[Op]) -> list[Put]:
    """Encode the writes, the last one to each key."""
    last = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
    return [Put(op, _encode(op), texts_of(op)) for op in last.values()]


def _encode(op: PutOp) -> str | None:
    if op.value is None:
        return None
    try:
        text = json.dumps(dict(op.value), ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The value of '{op.key}' is not plain JSON: {error}", key=op.key) from None
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character, which no database stores: it goes escaped
        return json.dumps(dict(op.value))
    return text


def _leaves(value: Any) -> Iterator[str]:
    """Yield every text and number of a value, without its keys."""
    if isinstance(value, dict):
        for inner in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(inner)
    elif value is not None:
        yield str(value)


def _value(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    texts = stored_texts.texts_of(connection)
    return json.loads(texts.open(row.value, row.tenant_id, table.name, row.namespace, row.key))


def _fields(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    return {
        "namespace": _split(row.namespace),
        "key": row.key,
        "value": _value(connection, row),
        "created_at": datetime.fromtimestamp(row.created_at, UTC),
        "updated_at": datetime.fromtimestamp(row.updated_at, UTC),
    }


def _join(namespace: Sequence[str]) -> str:
    for label in namespace:
        _check_name(label, "namespace label")
    return "".join(label + _END for label in namespace)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(_END)[:-1])
