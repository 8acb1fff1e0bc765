"""Recordings on disk: a row a call, and each message and result once for its conversation, by its content.

What does not live here: what is recorded (`tape`), and the file (`models.cassette`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from motet.errors import InvalidInput, NotFound
from motet.storage.tables import recorded_calls as calls
from motet.storage.tables import recorded_values as values
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy.engine import Connection

    from motet.models.cassette import Call, Cassette
    from motet.runs.request import RunJob

REFERENCE = "$"
"""Key of an object that stands for a value by its digest."""

SMALL_CHARS = 200
"""A shorter value stands in its call."""

_CALL_DEPTH = 3
"""A call, its request, and a list in it are never stored by their digest: what is in the list is."""


def not_recorded(run_id: str) -> str:
    """Say that a run was not recorded, and what to do."""
    return (
        f"Run {run_id} was not recorded, or its recording is gone. "
        "Record a run by 'motet ask --record', or every run by MOTET_RECORD=true."
    )


def check_replay(connection: Connection, job: RunJob) -> None:
    """Refuse a job that is to play what is not there.

    Raises:
        InvalidInput: It names neither a run nor a file, or both.
        NotFound: The run was not recorded.
    """
    replay = job.options.replay
    if replay is None:
        return
    if (replay.run_id is None) == (replay.file is None):
        raise InvalidInput("A replay needs either a run_id or a file.")
    if replay.run_id is not None:
        mine = sa.and_(calls.c.tenant_id == job.tenant_id, calls.c.run_id == replay.run_id)
        if connection.execute(sa.select(calls.c.number).where(mine).limit(1)).first() is None:
            raise NotFound(not_recorded(replay.run_id), run_id=replay.run_id)


def append(connection: Connection, job: RunJob, number: int, call: Any) -> None:
    """Store a job's call, or its header under the number 0; in a writing transaction. What is there already stays."""
    tenant_id, thread_id, run_id = job.tenant_id, job.thread_id, job.run_id
    found: dict[str, str] = {}
    packed = _pack(call, found)
    texts = texts_of(connection)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for key, value in found.items():
        row = {"tenant_id": tenant_id, "thread_id": thread_id, "digest": key}
        stored = texts.close(value, tenant_id, "recorded_values", thread_id, key)
        connection.execute(insert(values).values(**row, value=stored).on_conflict_do_nothing())
    encoded = json.dumps(packed, ensure_ascii=False, default=str)
    made = insert(calls).values(
        tenant_id=tenant_id,
        run_id=run_id,
        number=number,
        thread_id=thread_id,
        call=texts.close(encoded, tenant_id, "recorded_calls", run_id, number),
    )
    connection.execute(made.on_conflict_do_nothing())


def count(connection: Connection, tenant_id: str, run_id: str) -> int:
    """Return how many calls of a run are recorded."""
    mine = sa.and_(calls.c.tenant_id == tenant_id, calls.c.run_id == run_id)
    return connection.execute(sa.select(sa.func.max(calls.c.number)).where(mine)).scalar() or 0


def load(connection: Connection, tenant_id: str, run_id: str) -> Cassette | None:
    """Return a run's recording; None when it has none."""
    from motet.models.cassette import Call, Cassette  # noqa: PLC0415  # light commands load none

    mine = sa.and_(calls.c.tenant_id == tenant_id, calls.c.run_id == run_id)
    rows = connection.execute(sa.select(calls).where(mine).order_by(calls.c.number)).all()
    if not rows:
        return None
    texts = texts_of(connection)
    packed = [json.loads(texts.open(r.call, tenant_id, "recorded_calls", run_id, r.number)) for r in rows]
    known = _values(connection, tenant_id, rows[0].thread_id, set(_references(packed)))
    whole: list[Any] = [_unpack(one, known) for one in packed]
    header = whole.pop(0) if rows[0].number == 0 else {}
    return Cassette(header, [Call(**one) for one in whole])


def plain(call: Call) -> dict[str, Any]:
    """Return a call as it is stored."""
    return {
        "number": call.number,
        "kind": call.kind,
        "name": call.name,
        "request": call.request,
        "response": call.response,
    }


def delete_with(connection: Connection, tenant_id: str, texts_gone: Iterable[str]) -> int:
    """Delete every recording that holds one of these texts, and its conversation's others; return how many runs."""
    gone = list(texts_gone)
    texts = texts_of(connection)
    threads: set[str] = set()
    for table, columns in ((values, ("thread_id", "digest")), (calls, ("run_id", "number"))):
        column = table.c.value if table is values else table.c.call
        for row in connection.execute(sa.select(table).where(table.c.tenant_id == tenant_id)):
            place = [getattr(row, name) for name in columns]
            stored = texts.open(getattr(row, column.name), tenant_id, table.name, *place)
            if any(json.dumps(text, ensure_ascii=False)[1:-1] in stored for text in gone):
                threads.add(row.thread_id)
    chosen = sa.and_(calls.c.tenant_id == tenant_id, calls.c.thread_id.in_(threads))
    runs = connection.execute(sa.select(sa.func.count(calls.c.run_id.distinct())).where(chosen)).scalar() or 0
    connection.execute(sa.delete(calls).where(chosen))
    connection.execute(
        sa.delete(values).where(values.c.tenant_id == tenant_id, values.c.thread_id.in_(threads))
    )
    return runs


def _pack(value: Any, found: dict[str, str], depth: int = 0) -> Any:
    """Return a value with its large parts by their digest; those are put into `found`."""
    from motet.models.cassette import digest  # noqa: PLC0415

    if isinstance(value, list):
        return [_pack(item, found, depth + 1) for item in value]
    if isinstance(value, dict):
        encoded = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
        if depth < _CALL_DEPTH or len(encoded) < SMALL_CHARS:
            return {key: _pack(item, found, depth + 1) for key, item in value.items()}
        key = digest(value)
        found[key] = encoded
        return {REFERENCE: key}
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if set(value) == {REFERENCE}:
            yield str(value[REFERENCE])
        for item in value.values():
            yield from _references(item)


def _values(connection: Connection, tenant_id: str, thread_id: str, digests: set[str]) -> dict[str, Any]:
    texts, found = texts_of(connection), dict[str, Any]()
    mine = sa.and_(values.c.tenant_id == tenant_id, values.c.thread_id == thread_id)
    for row in connection.execute(sa.select(values).where(mine)):
        if row.digest in digests:
            stored = texts.open(row.value, tenant_id, "recorded_values", thread_id, row.digest)
            found[row.digest] = json.loads(stored)
    return found


def _unpack(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, known) for item in value]
    if isinstance(value, dict):
        if set(value) == {REFERENCE} and value[REFERENCE] in known:
            return known[value[REFERENCE]]
        return {key: _unpack(item, known) for key, item in value.items()}
    return value
