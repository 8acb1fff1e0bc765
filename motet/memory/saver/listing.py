"""Lists checkpoints, newest first, a page at a time.

What does not live here: what a checkpoint holds (`memory.saver.loading`). Metadata is sealed inside the bodies, so
filters are applied here and not in SQL: no key or value of a filter ever comes near a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.memory.saver.loading import Loaded, Loader, select_checkpoints
from motet.memory.saver.rows import ScopeName, pack_id
from motet.storage import tables as t

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection


class Query(NamedTuple):
    """Which checkpoints to list; None asks for any."""

    tenant_id: str
    thread_id: str | None = None
    checkpoint_ns: str | None = None
    checkpoint_id: str | None = None
    before_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    """Keys and values that the metadata must have."""


class Page(NamedTuple):
    """Some checkpoints, and where the next ones begin."""

    found: list[Loaded]
    cursor: tuple[int, int] | None
    """`(scope_key, seq)` of the last row that was looked at; None after the last page."""


def read_page(
    connection: Connection,
    loader: Loader,
    query: Query,
    *,
    cursor: tuple[int, int] | None,
    size: int,
    limit: int | None,
) -> Page:
    """Look at up to `size` rows after the cursor and return those that match, at most `limit` if that is given."""
    own = t.checkpoints
    statement = _statement(query).order_by(own.c.scope_key.desc(), own.c.seq.desc()).limit(size)
    if cursor is not None:
        scope_key, seq = cursor
        later = sa.and_(own.c.scope_key == scope_key, own.c.seq < seq)
        statement = statement.where(sa.or_(own.c.scope_key < scope_key, later))
    rows = connection.execute(statement).all()
    found: list[Loaded] = []
    for row in rows:
        if query.metadata:
            scope = ScopeName(query.tenant_id, row.thread_id, row.checkpoint_ns)
            body, _ = loader.read_body(connection, scope, row)
            if any(body.metadata.get(key) != value for key, value in query.metadata.items()):
                continue
        found.append(loader.load(connection, row))
        if len(found) == limit:
            return Page(found, None)
    last = (rows[-1].scope_key, rows[-1].seq) if len(rows) == size else None
    return Page(found, last)


def _statement(query: Query) -> sa.Select[Any]:
    scopes, own, before = t.checkpoint_scopes, t.checkpoints, t.checkpoints.alias("before")
    statement = select_checkpoints(query.tenant_id)
    if query.thread_id is not None:
        statement = statement.where(scopes.c.thread_id == query.thread_id)
    if query.checkpoint_ns is not None:
        statement = statement.where(scopes.c.checkpoint_ns == query.checkpoint_ns)
    if query.checkpoint_id is not None:
        statement = statement.where(own.c.checkpoint_id == pack_id(query.checkpoint_id))
    if query.before_id is not None:
        limit = sa.select(before.c.seq).where(
            before.c.scope_key == own.c.scope_key, before.c.checkpoint_id == pack_id(query.before_id)
        )
        statement = statement.where(own.c.seq < limit.scalar_subquery())
    return statement
