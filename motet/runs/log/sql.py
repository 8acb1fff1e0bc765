"""The event log on Motet's own database."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import InvalidInput, LeaseLost, NotFound
from motet.events import (
    EVENT,
    TERMINAL,
    Event,
    MessageCompleted,
    Recorded,
    RunCancelledEvent,
    RunCompleted,
    RunFailed,
    RunInterrupted,
    encode,
)
from motet.memory import transcript
from motet.storage.clock import db_now
from motet.storage.tables import events as table
from motet.storage.tables import runs, threads
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.engine import Connection

    from motet.runs.queue.base import Claim
    from motet.runs.request import RunJob, RunStatus
    from motet.settings import RunSettings
    from motet.storage.engine import Database


class SqlLog:
    """An `EventLog` in the table `events`. Readers in this process are woken; others look every `poll_s`."""

    def __init__(self, database: Database, settings: RunSettings) -> None:
        self._database = database
        self._settings = settings
        self._readers: dict[str, set[asyncio.Event]] = {}

    async def append(self, claim: Claim, events: Sequence[Event]) -> list[Recorded]:
        """See `EventLog.append`."""
        if not events:
            return []
        # Encoded here, not on the writer's thread: the write lock is held for the inserts alone.
        pairs = [encode(event) for event in events]
        kept, encoded = [event for event, _ in pairs], [text for _, text in pairs]
        with self._database.crash.around(f"an append of {events[-1].type}"):
            recorded = await self._database.write(lambda c: _append(c, claim, kept, encoded))
        for reader in self._readers.get(claim.job.run_id, ()):
            reader.set()
        return recorded

    async def read(self, tenant_id: str, run_id: str, *, after: int = 0, limit: int = 500) -> list[Recorded]:
        """See `EventLog.read`."""
        query = (
            sa.select(table.c.seq, table.c.at, table.c.event, runs.c.thread_id)
            .join(runs, sa.and_(runs.c.tenant_id == table.c.tenant_id, runs.c.run_id == table.c.run_id))
            .where(table.c.tenant_id == tenant_id, table.c.run_id == run_id, table.c.seq > after)
            .order_by(table.c.seq)
            .limit(limit)
        )
        rows, texts = await self._database.read(lambda c: c.execute(query).all()), self._database.texts
        return [
            Recorded(
                run_id=run_id,
                thread_id=row.thread_id,
                seq=row.seq,
                at=row.at,
                event=EVENT.validate_json(texts.open(row.event, tenant_id, "events", run_id, row.seq)),
            )
            for row in rows
        ]

    async def follow(self, tenant_id: str, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        """See `EventLog.follow`."""
        if await self._heard_all(tenant_id, run_id, after):
            return
        woken = asyncio.Event()
        self._readers.setdefault(run_id, set()).add(woken)
        try:
            while True:
                woken.clear()
                found = await self.read(tenant_id, run_id, after=after)
                for recorded in found:
                    after = recorded.seq
                    yield recorded
                # A run that waits for a person has another end when that takes too long.
                if found and found[-1].event.type in TERMINAL:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.poll_s):
                        await woken.wait()
        finally:
            readers = self._readers[run_id]
            readers.discard(woken)
            if not readers:
                del self._readers[run_id]

    async def _heard_all(self, tenant_id: str, run_id: str, after: int) -> bool:
        """Say whether nothing can come after a number; refuse a run or a number that does not exist."""
        query = sa.select(runs.c.status, runs.c.last_seq).where(
            runs.c.tenant_id == tenant_id, runs.c.run_id == run_id
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            raise NotFound(f"There is no run '{run_id}'. 'motet runs list' shows them.")
        if after > row.last_seq:
            raise InvalidInput(
                f"Run {run_id} has {row.last_seq} events; there is no event {after} to go on from."
            )
        return after == row.last_seq and row.status not in ("pending", "running")


def insert(connection: Connection, job: RunJob, first_seq: int, encoded: Sequence[str]) -> float:
    """Insert encoded events from `first_seq` on; return their time by the database's clock."""
    at = connection.execute(sa.select(db_now())).scalar_one()
    one, texts = {"tenant_id": job.tenant_id, "run_id": job.run_id, "at": at}, texts_of(connection)
    rows = [
        one | {"seq": seq, "event": texts.close(event, job.tenant_id, "events", job.run_id, seq)}
        for seq, event in enumerate(encoded, first_seq)
    ]
    connection.execute(sa.insert(table), rows)
    return at


def remember(connection: Connection, job: RunJob, events: Sequence[Event]) -> None:
    """Put the messages among the events into the transcript."""
    for event in events:
        if isinstance(event, MessageCompleted):
            transcript.append(
                connection,
                tenant_id=job.tenant_id,
                thread_id=job.thread_id,
                run_id=job.run_id,
                message_id=event.message_id,
                role=event.role,
                text=event.text,
                citations=event.citations,
            )


def _append(
    connection: Connection, claim: Claim, events: Sequence[Event], encoded: Sequence[str]
) -> list[Recorded]:
    job, ending = claim.job, _ending(events[-1])
    if ending.get("error"):
        ending["error"] = texts_of(connection).close(
            ending["error"], job.tenant_id, "runs", job.run_id, "error"
        )
    last = connection.execute(
        sa.update(runs)
        .where(
            runs.c.tenant_id == job.tenant_id,
            runs.c.run_id == job.run_id,
            runs.c.fence == claim.fence,
            runs.c.status == "running",
        )
        .values(last_seq=runs.c.last_seq + len(events), **ending)
        .returning(runs.c.last_seq)
    ).scalar()
    if last is None:
        raise LeaseLost(f"Run {job.run_id} is another worker's, or has ended.", run_id=job.run_id)
    first = last - len(events) + 1
    at = insert(connection, job, first, encoded)
    remember(connection, job, events)
    if events[-1].type in TERMINAL:
        one = sa.and_(threads.c.tenant_id == job.tenant_id, threads.c.thread_id == job.thread_id)
        connection.execute(sa.update(threads).where(one).values(updated_at=db_now()))
    return [
        Recorded(run_id=job.run_id, thread_id=job.thread_id, seq=first + i, at=at, event=event)
        for i, event in enumerate(events)
    ]


def _ending(event: Event) -> dict[str, Any]:
    """Return the columns that a terminal event changes in its run's row; {} for any other."""
    status: RunStatus
    error: str | None = None
    match event:
        case RunCompleted():
            status = "success"
        case RunFailed():
            status, error = "error", json.dumps(event.error, ensure_ascii=False)
        case RunCancelledEvent():
            status = "cancelled"
        case RunInterrupted():
            status = "interrupted"
        case _:
            return {}
    return {
        "status": status,
        "error": error,
        "ended_at": db_now(),
        "worker_id": None,
        "lease_until": None,
        "cancel_requested": False,
    }
