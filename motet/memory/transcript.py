"""The transcript: every message of every thread, append-only, searchable in Chinese and English.

What does not live here: what a model sees of it (`window`) and a graph's state (`checkpoints`).
All functions work on a connection, so that a message is stored in the transaction of the event that tells of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.storage import fulltext
from motet.storage.clock import db_now
from motet.storage.tables import messages, threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.events import Passage

INDEX = "messages"
"""Name of the full-text index."""


def append(
    connection: Connection,
    *,
    tenant_id: str,
    thread_id: str,
    run_id: str,
    message_id: str,
    role: str,
    text: str,
    citations: Sequence[Passage] = (),
) -> int | None:
    """Add a message; return its `seq` in the thread, from 1, or None when its id is there already."""
    mine = sa.and_(messages.c.tenant_id == tenant_id, messages.c.thread_id == thread_id)
    if connection.execute(sa.select(messages.c.seq).where(mine, messages.c.message_id == message_id)).first():
        return None
    one = sa.and_(threads.c.tenant_id == tenant_id, threads.c.thread_id == thread_id)
    seq = connection.execute(
        sa.update(threads)
        .where(one)
        .values(last_message_seq=threads.c.last_message_seq + 1, updated_at=db_now())
        .returning(threads.c.last_message_seq)
    ).scalar_one()
    key = connection.execute(
        sa.insert(messages)
        .values(
            tenant_id=tenant_id,
            thread_id=thread_id,
            seq=seq,
            message_id=message_id,
            run_id=run_id,
            role=role,
            text=text,
            citations=json.dumps([p.model_dump(mode="json") for p in citations], ensure_ascii=False),
            created_at=db_now(),
        )
        .returning(messages.c.message_key)
    ).scalar_one()
    fulltext.add(connection, INDEX, [(key, text)], scope=tenant_id)
    return seq


def read(connection: Connection, tenant_id: str, thread_id: str, *, limit: int) -> Sequence[Row[Any]]:
    """Return the newest `limit` messages of a thread, oldest first."""
    mine = sa.and_(messages.c.tenant_id == tenant_id, messages.c.thread_id == thread_id)
    query = sa.select(messages).where(mine).order_by(messages.c.seq.desc()).limit(limit)
    return connection.execute(query).all()[::-1]


def search(connection: Connection, tenant_id: str, query: str, *, limit: int) -> Sequence[Row[Any]]:
    """Return the messages of a tenant that match best, best first; blank text gives []."""
    keys = [hit.key for hit in fulltext.search(connection, INDEX, query, limit=limit, scopes=[tenant_id])]
    if not keys:
        return []
    wanted = sa.select(messages).where(messages.c.tenant_id == tenant_id, messages.c.message_key.in_(keys))
    rows = {row.message_key: row for row in connection.execute(wanted)}
    return [rows[key] for key in keys if key in rows]


def delete_run(connection: Connection, tenant_id: str, thread_id: str, run_id: str) -> None:
    """Take one run's messages out again; the numbers of those after them stay."""
    _delete(
        connection,
        sa.and_(
            messages.c.tenant_id == tenant_id,
            messages.c.thread_id == thread_id,
            messages.c.run_id == run_id,
        ),
    )


def delete(connection: Connection, tenant_id: str, thread_id: str) -> None:
    """Take a thread's messages out of the full-text index and the table."""
    _delete(connection, sa.and_(messages.c.tenant_id == tenant_id, messages.c.thread_id == thread_id))


def _delete(connection: Connection, mine: sa.ColumnElement[bool]) -> None:
    keys = connection.execute(sa.select(messages.c.message_key).where(mine)).scalars().all()
    fulltext.delete(connection, INDEX, keys)
    connection.execute(sa.delete(messages).where(mine))
