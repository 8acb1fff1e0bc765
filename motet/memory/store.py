"""What outlives a thread: LangGraph's store on Motet's own database.

What does not live here: what agents remember (`recall`). Values are JSON objects; a namespace is a tuple of labels.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import sqlalchemy as sa
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    get_text_at_path,
)
from sqlalchemy.dialects import postgresql, sqlite

from motet.errors import InvalidInput
from motet.storage.clock import db_now
from motet.storage.search import terms
from motet.storage.tables import store_items as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langgraph.store.base import Op
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection, Row

    from motet.storage.engine import Database

_END = "\x1f"
"""Ends each label of a stored namespace, so that a prefix of labels is a prefix of the text."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


class Embeds(Protocol):
    """What the store needs of an embedding model."""

    name: str
    dimension: int

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 for each text."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 for each text."""
        ...


@dataclass(frozen=True, slots=True)
class _Put:
    op: PutOp
    value: str | None
    vector: bytes | None


class MotetStore(BaseStore):
    """A `BaseStore` of one tenant: namespaces, filters, expiry, search by meaning where there is an embedder.

    As in LangGraph's own stores, a batch reads before it writes, and of two writes to one key the last counts. A
    search with a query and no embedder ranks by shared words, in Chinese and English.
    """

    supports_ttl = True

    def __init__(
        self,
        database: Database,
        *,
        tenant_id: str = "local",
        embedder: Embeds | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._embedder = embedder
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations from code that is not asynchronous. Never call it on an event loop's thread."""
        found = list(ops)
        puts = self._prepare(found)
        query_vectors = self._query_vectors(found)
        results = self._database.read_sync(lambda c: self._read(c, found, query_vectors))
        changes = _Changes(puts, self._refreshed(found, results))
        if changes:
            self._database.write_sync(lambda c: self._write(c, changes))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations; the results are in their order, None for a write."""
        found = list(ops)
        puts, query_vectors = await asyncio.to_thread(
            lambda: (self._prepare(found), self._query_vectors(found))
        )
        results = await self._database.read(lambda c: self._read(c, found, query_vectors))
        changes = _Changes(puts, self._refreshed(found, results))
        if changes:
            await self._database.write(lambda c: self._write(c, changes))
        return results

    def _prepare(self, ops: Sequence[Op]) -> list[_Put]:
        """Encode the writes, the last one to each key, with their vectors."""
        last = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
        return [_Put(op, _encode(op), self._vector(op)) for op in last.values()]

    def _vector(self, op: PutOp) -> bytes | None:
        if self._embedder is None or op.value is None or op.index is False:
            return None
        paths = op.index or ["$"]
        texts = [text for path in paths for text in get_text_at_path(op.value, path)]
        text = "\n".join(texts)
        return self._embedder.embed_passages([text])[0].astype("<f4").tobytes() if text else None

    def _query_vectors(self, ops: Sequence[Op]) -> dict[str, NDArray[np.float32]]:
        texts = list(dict.fromkeys(op.query for op in ops if isinstance(op, SearchOp) and op.query))
        if self._embedder is None or not texts:
            return {}
        return dict(zip(texts, self._embedder.embed_queries(texts), strict=True))

    def _read(
        self, connection: Connection, ops: Sequence[Op], query_vectors: dict[str, NDArray[np.float32]]
    ) -> list[Result]:
        results: list[Result] = []
        for op in ops:
            if isinstance(op, GetOp):
                results.append(self._get(connection, op))
            elif isinstance(op, SearchOp):
                results.append(self._search(connection, op, query_vectors.get(op.query or "")))
            elif isinstance(op, ListNamespacesOp):
                results.append(self._namespaces(connection, op))
            else:
                results.append(None)
        return results

    def _get(self, connection: Connection, op: GetOp) -> Item | None:
        query = sa.select(table).where(
            self._alive(), table.c.namespace == _join(op.namespace), table.c.key == op.key
        )
        row = connection.execute(query).first()
        return Item(**_fields(row)) if row is not None else None

    def _search(
        self, connection: Connection, op: SearchOp, query_vector: NDArray[np.float32] | None
    ) -> list[SearchItem]:
        prefix = table.c.namespace.startswith(_join(op.namespace_prefix), autoescape=True)
        query = sa.select(table).where(self._alive(), prefix).order_by(table.c.updated_at.desc(), table.c.key)
        rows = [row for row in connection.execute(query) if _fits(json.loads(row.value), op.filter or {})]
        if not op.query:
            return [_found(row, None) for row in rows[op.offset : op.offset + op.limit]]
        scored = [(self._score(row, op.query, query_vector), row) for row in rows]
        scored.sort(key=lambda pair: -1.0 if pair[0] is None else pair[0], reverse=True)
        return [_found(row, score) for score, row in scored[op.offset : op.offset + op.limit]]

    def _score(self, row: Row[Any], query: str, query_vector: NDArray[np.float32] | None) -> float | None:
        """Return the cosine similarity, or the share of the query's words; None for what another model embedded."""
        if query_vector is None:
            wanted = set(terms(query))
            return len(wanted & set(terms(row.value))) / len(wanted) if wanted else 0.0
        if row.vector is None or self._embedder is None or row.embedder != self._embedder.name:
            return None
        return float(np.frombuffer(row.vector, dtype="<f4") @ query_vector)

    def _namespaces(self, connection: Connection, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        query = sa.select(table.c.namespace).where(self._alive()).distinct()
        found = [_split(text) for text in connection.execute(query).scalars()]
        wanted = [
            ns for ns in found if all(_matches(ns, condition) for condition in op.match_conditions or ())
        ]
        cut = sorted({ns[: op.max_depth] if op.max_depth else ns for ns in wanted})
        return cut[op.offset : op.offset + op.limit]

    def _alive(self) -> sa.ColumnElement[bool]:
        fresh = sa.or_(table.c.expires_at.is_(None), table.c.expires_at > db_now())
        return sa.and_(table.c.tenant_id == self._tenant_id, fresh)

    def _refreshed(self, ops: Sequence[Op], results: Sequence[Result]) -> list[tuple[str, str]]:
        """Return the `(namespace, key)` of the items whose time begins anew because they were read."""
        default = self.ttl_config.get("refresh_on_read", True) if self.ttl_config else True
        keys: list[tuple[str, str]] = []
        for op, result in zip(ops, results, strict=True):
            asked: Any = getattr(op, "refresh_ttl", False)  # None in operations that are made by hand
            if not (default if asked is None else asked):
                continue
            items: list[Any] = result if isinstance(result, list) else [result]
            keys += [(_join(item.namespace), item.key) for item in items if isinstance(item, Item)]
        return keys

    def _write(self, connection: Connection, changes: _Changes) -> None:
        connection.execute(sa.delete(table).where(table.c.expires_at <= db_now()))
        for namespace, key in changes.refreshed:
            change = sa.update(table).where(self._one(namespace, key), table.c.ttl_s.is_not(None))
            connection.execute(change.values(expires_at=db_now() + table.c.ttl_s))
        for put in changes.puts:
            self._put(connection, put)

    def _put(self, connection: Connection, put: _Put) -> None:
        one = self._one(_join(put.op.namespace), put.op.key)
        if put.value is None:
            connection.execute(sa.delete(table).where(one))
            return
        ttl_s = None if put.op.ttl is None else put.op.ttl * 60.0
        values: dict[str, Any] = {
            "value": put.value,
            "vector": put.vector,
            "embedder": self._embedder.name if self._embedder and put.vector else "",
            "updated_at": db_now(),
            "ttl_s": ttl_s,
            "expires_at": None if ttl_s is None else db_now() + ttl_s,
        }
        insert = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        row = {
            "tenant_id": self._tenant_id,
            "namespace": _join(put.op.namespace),
            "key": put.op.key,
            **values,
        }
        statement = insert(table).values(created_at=db_now(), **row)
        keys = ["tenant_id", "namespace", "key"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))

    def _one(self, namespace: str, key: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            table.c.tenant_id == self._tenant_id, table.c.namespace == namespace, table.c.key == key
        )


@dataclass(frozen=True, slots=True)
class _Changes:
    puts: list[_Put]
    refreshed: list[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.puts or self.refreshed)


def _encode(op: PutOp) -> str | None:
    if op.value is None:
        return None
    try:
        return json.dumps(op.value, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The value of '{op.key}' is not plain JSON: {error}", key=op.key) from None


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {
        "namespace": _split(row.namespace),
        "key": row.key,
        "value": json.loads(row.value),
        "created_at": datetime.fromtimestamp(row.created_at, UTC),
        "updated_at": datetime.fromtimestamp(row.updated_at, UTC),
    }


def _found(row: Row[Any], score: float | None) -> SearchItem:
    return SearchItem(**_fields(row), score=score)


def _join(namespace: Sequence[str]) -> str:
    for label in namespace:
        if _END in label or "\x00" in label:
            raise InvalidInput(f"The namespace label {label!r} holds a control character.", label=label)
    return "".join(label + _END for label in namespace)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(_END)[:-1])


def _fits(value: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Say whether a value passes a filter: plain values are compared for equality, `{"$gt": 3}` by its operators.

    Raises:
        InvalidInput: The operator is unknown.
    """
    for key, condition in wanted.items():
        operators = isinstance(condition, dict) and any(str(name).startswith("$") for name in condition)
        if not operators:
            if value.get(key) != condition:
                return False
            continue
        for name, operand in condition.items():
            if name not in _COMPARE:
                raise InvalidInput(f"Unknown operator '{name}' in a filter. Known: {', '.join(_COMPARE)}.")
            try:
                if not _COMPARE[name](value.get(key), operand):
                    return False
            except TypeError:  # None or a text where a number is compared
                return False
    return True


def _matches(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    path = tuple(condition.path)
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    if len(part) < len(path):
        return False
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))
