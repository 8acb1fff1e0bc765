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
from motet.storage.ready import Ready
from motet.storage.search import fts_document
from motet.storage.tables import messages, thread_tags, threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.events import Passage

CHUNK = 500

INDEX = "messages"
"""Name of the full-text index."""

TAGGED_CANDIDATES = 1000
"""A search among tagged threads looks at this many of the best messages of all."""


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
    place = {"of_tenant": tenant_id, "of_thread": thread_id}
    there = _IS_THERE.first(connection, {**place, "of_message": message_id})
    if there and not _make_way(connection, _of(tenant_id, thread_id), message_id):
        return None
    seq = _NEXT_SEQ.one(connection, place)[0]
    row = {
        "tenant_id": tenant_id,
        "thread_id": thread_id,
        "seq": seq,
        "message_id": message_id,
        "run_id": run_id,
        "role": role,
        "text": text,
        "citations": json.dumps([p.model_dump(mode="json") for p in citations], ensure_ascii=False),
    }
    key = _PUT.one(connection, row)[0]
    fulltext.add(connection, INDEX, [(key, text)], scope=tenant_id)
    return seq


_MINE = sa.and_(
    messages.c.tenant_id == sa.bindparam("of_tenant"), messages.c.thread_id == sa.bindparam("of_thread")
)
_IS_THERE = Ready(sa.select(messages.c.seq).where(_MINE, messages.c.message_id == sa.bindparam("of_message")))
_NEXT_SEQ = Ready(
    sa.update(threads)
    .where(threads.c.tenant_id == sa.bindparam("of_tenant"), threads.c.thread_id == sa.bindparam("of_thread"))
    .values(last_message_seq=threads.c.last_message_seq + 1, updated_at=db_now())
    .returning(threads.c.last_message_seq)
)
_PUT = Ready(sa.insert(messages).values(created_at=db_now()).returning(messages.c.message_key))


def move_to_end(connection: Connection, tenant_id: str, thread_id: str, message_ids: Sequence[str]) -> None:
    """Put messages behind all others of their thread, in the order that they have; there already, they stay.

    What a user says while a run is at work is stored at once. When its own run begins, what the runs before it had
    to say has come after it: it is moved, so that questions and answers stand in the order of the runs.
    """
    place = {"of_tenant": tenant_id, "of_thread": thread_id}
    rows = _these(connection, place, message_ids)
    row = _LAST_SEQ.first(connection, place) if rows else None
    if row is None or rows[-1].seq == row.last_message_seq:
        return
    last = row.last_message_seq
    one = sa.and_(threads.c.tenant_id == tenant_id, threads.c.thread_id == thread_id)
    for seq, row in enumerate(rows, last + 1):
        this = messages.c.message_key == row.message_key
        connection.execute(sa.update(messages).where(this).values(seq=seq))
    connection.execute(sa.update(threads).where(one).values(last_message_seq=last + len(rows)))


def _these(connection: Connection, place: dict[str, str], message_ids: Sequence[str]) -> Sequence[Any]:
    if len(message_ids) == 1:  # as a rule
        return _THIS.all(connection, {**place, "of_message": message_ids[0]})
    return connection.execute(_THESE, {**place, "these": list(message_ids)}).all() if message_ids else []


_THIS = Ready(
    sa.select(messages.c.message_key, messages.c.seq).where(
        _MINE, messages.c.message_id == sa.bindparam("of_message")
    )
)
_THESE = (
    sa.select(messages.c.message_key, messages.c.seq)
    .where(_MINE, messages.c.message_id.in_(sa.bindparam("these", expanding=True)))
    .order_by(messages.c.seq)
)
_LAST_SEQ = Ready(
    sa.select(threads.c.last_message_seq).where(
        threads.c.tenant_id == sa.bindparam("of_tenant"), threads.c.thread_id == sa.bindparam("of_thread")
    )
)


def read(connection: Connection, tenant_id: str, thread_id: str, *, limit: int) -> Sequence[Row[Any]]:
    """Return the newest `limit` messages of a thread, oldest first."""
    mine = sa.and_(_of(tenant_id, thread_id), messages.c.rewound.is_(None))
    query = sa.select(messages).where(mine).order_by(messages.c.seq.desc()).limit(limit)
    return connection.execute(query).all()[::-1]


def read_all(connection: Connection, tenant_id: str, thread_id: str) -> Sequence[Row[Any]]:
    """Return every message of a thread, oldest first, those too that a rewind took out of the conversation."""
    query = sa.select(messages).where(_of(tenant_id, thread_id)).order_by(messages.c.seq)
    return connection.execute(query).all()


def stamp(connection: Connection, tenant_id: str, thread_id: str) -> tuple[int, int] | None:
    """Return what changes whenever a thread's messages do: the last one's number, and how many rewinds there were."""
    one = sa.and_(threads.c.tenant_id == tenant_id, threads.c.thread_id == thread_id)
    row = connection.execute(
        sa.select(threads.c.last_message_seq, threads.c.rewinds).where(one)
    ).one_or_none()
    return None if row is None else (row.last_message_seq, row.rewinds)


def rewind(connection: Connection, tenant_id: str, thread_id: str, keys: Sequence[int]) -> None:
    """Take messages out of a conversation and of what is searched; they stay, marked with the rewind's number."""
    one = sa.and_(threads.c.tenant_id == tenant_id, threads.c.thread_id == thread_id)
    number = connection.execute(
        sa.update(threads)
        .where(one)
        .values(
            rewinds=threads.c.rewinds + 1,
            rewound_messages=threads.c.rewound_messages + len(keys),
            updated_at=db_now(),
        )
        .returning(threads.c.rewinds)
    ).scalar_one()
    fulltext.delete(connection, INDEX, keys)
    changes = [{"one_key": key} for key in keys]
    if changes:
        one_message = messages.c.message_key == sa.bindparam("one_key")
        connection.execute(sa.update(messages).where(one_message).values(rewound=number), changes)


def insert(connection: Connection, tenant_id: str, thread_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give a new thread its messages, numbered from 1.

    Args:
        connection: A writing connection.
        tenant_id: Whose.
        thread_id: A thread without messages.
        rows: `message_id`, `run_id`, `role`, `text`, `citations` (JSON) and `created_at` of each, oldest first.
            Where they have a `document` too, it is `storage.search.fts_document` of the text, made beforehand.
    """
    named = ("message_id", "run_id", "role", "text", "citations", "created_at")
    of_thread = {"tenant_id": tenant_id, "thread_id": thread_id}
    statement = sa.insert(messages).returning(messages.c.message_key, sort_by_parameter_order=True)
    for at in range(0, len(rows), CHUNK):
        chunk = rows[at : at + CHUNK]
        values = [
            of_thread | {"seq": seq} | {name: row[name] for name in named}
            for seq, row in enumerate(chunk, at + 1)
        ]
        keys = connection.execute(statement, values).scalars().all()
        documents = [row.get("document") or fts_document(row["text"]) for row in chunk]
        fulltext.add(connection, INDEX, zip(keys, documents, strict=True), scope=tenant_id, made=True)
    one = sa.and_(threads.c.tenant_id == tenant_id, threads.c.thread_id == thread_id)
    connection.execute(sa.update(threads).where(one).values(last_message_seq=len(rows)))


def search(
    connection: Connection, tenant_id: str, query: str, *, limit: int, tags: Sequence[str] = ()
) -> Sequence[Row[Any]]:
    """Return the messages of a tenant that match best, best first; blank text gives [].

    With tags only those of threads that have all of them, among the best `TAGGED_CANDIDATES`.
    """
    candidates = TAGGED_CANDIDATES if tags else limit
    found = fulltext.search(connection, INDEX, query, limit=candidates, scopes=[tenant_id])
    keys = [hit.key for hit in found]
    if not keys:
        return []
    wanted = sa.select(messages).where(messages.c.tenant_id == tenant_id, messages.c.message_key.in_(keys))
    if tags:
        wanted = wanted.where(has_tags(messages, tags))
    rows = {row.message_key: row for row in connection.execute(wanted)}
    return [rows[key] for key in keys if key in rows][:limit]


def newest_alike(
    connection: Connection, tenant_id: str, thread_id: str, query: str, *, limit: int
) -> Sequence[Row[Any]]:
    """Return the newest messages of a thread that share a word with a text, the newest first.

    They are looked for among the tenant's `limit` newest that do, so that a long transcript takes no longer.
    """
    keys = fulltext.newest(connection, INDEX, query, limit=limit, scopes=[tenant_id])
    mine = (messages.c.message_key.in_(keys), messages.c.rewound.is_(None))
    wanted = sa.select(messages).where(_of(tenant_id, thread_id), *mine).order_by(messages.c.seq.desc())
    return connection.execute(wanted).all() if keys else []


def has_tags(table: sa.Table, tags: Sequence[str]) -> sa.ColumnElement[bool]:
    """Say in SQL that a row's thread has all of some tags."""
    owner = (thread_tags.c.tenant_id == table.c.tenant_id, thread_tags.c.thread_id == table.c.thread_id)
    return sa.and_(*(sa.exists().where(*owner, thread_tags.c.tag == tag) for tag in tags))


def forget_rewound(connection: Connection, tenant_id: str, thread_id: str) -> int:
    """Delete the messages that rewinds took out of a conversation; return how many there were."""
    gone = sa.and_(_of(tenant_id, thread_id), messages.c.rewound.is_not(None))
    return connection.execute(sa.delete(messages).where(gone)).rowcount


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
    _delete(connection, _of(tenant_id, thread_id))


def _delete(connection: Connection, mine: sa.ColumnElement[bool]) -> None:
    keys = connection.execute(sa.select(messages.c.message_key).where(mine)).scalars().all()
    fulltext.delete(connection, INDEX, keys)
    connection.execute(sa.delete(messages).where(mine))


def _of(tenant_id: str, thread_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(messages.c.tenant_id == tenant_id, messages.c.thread_id == thread_id)


def _make_way(connection: Connection, mine: sa.ColumnElement[bool], message_id: str) -> bool:
    """Give a rewound message another id where somebody says the same again; False when it was not rewound."""
    other = messages.c.message_id + "~" + sa.cast(messages.c.rewound, sa.Text)
    change = (
        sa.update(messages)
        .where(mine, messages.c.message_id == message_id, messages.c.rewound.is_not(None))
        .values(message_id=other)
    )
    return connection.execute(change).rowcount > 0
