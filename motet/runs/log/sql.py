"""The event log on Motet's own database."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Protocol

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
    RunRetrying,
    encode,
)
from motet.memory import transcript
from motet.runs.log.base import MustUndo
from motet.runs.log.watch import Watcher, announce
from motet.storage.clock import db_now
from motet.storage.fence import let_go
from motet.storage.ready import Ready
from motet.storage.tables import events as table
from motet.storage.tables import runs, threads
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy.engine import Connection

    from motet.runs.queue.base import Claim
    from motet.runs.request import RunJob, RunStatus
    from motet.settings import RunSettings
    from motet.storage.along import Work
    from motet.storage.engine import Database


READ_MAX = 500
"""A reader takes so many events at once."""

PAGE_MAX = 100
"""Most events of a page: what a reader that is slow to take them holds."""


class _Run(Protocol):
    """A run's job, or its row."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def run_id(self) -> str: ...


class SqlLog:
    """An `EventLog` in the table `events`. Readers share a `Watcher`; those of this process are woken at once."""

    def __init__(self, database: Database, settings: RunSettings) -> None:
        self._database = database
        self._watcher = Watcher(database, settings.poll_s)

    async def append(self, claim: Claim, events: Sequence[Event]) -> list[Recorded]:
        """See `EventLog.append`."""
        if not events:
            return []
        return await self.append_with(claim, events, self._database.jot)

    async def append_with(
        self, claim: Claim, events: Sequence[Event], store: Callable[[Work], Awaitable[Any]]
    ) -> Any:
        """See `EventLog.append_with`."""
        # Encoded here, not on the writer's thread: the write lock is held for the inserts alone.
        pairs = [encode(event) for event in events]
        kept, encoded = [event for event, _ in pairs], [text for _, text in pairs]
        recorded = list[Recorded]()

        def work(connection: Connection) -> list[Recorded]:
            recorded[:] = _append(connection, claim, kept, encoded)
            return recorded

        with self._database.crash.around(f"an append of {events[-1].type}"):
            value = await store(work)
        self._watcher.keep(claim.job.tenant_id, claim.job.run_id, recorded)
        return value

    async def read(self, tenant_id: str, run_id: str, *, after: int = 0, limit: int = 500) -> list[Recorded]:
        """See `EventLog.read`."""
        asked = {"of_tenant": tenant_id, "of_run": run_id, "after": after, "most": limit}
        rows = await self._database.peek(lambda c: _READ.all(c, asked))
        return self._recorded(tenant_id, run_id, rows)

    def _recorded(self, tenant_id: str, run_id: str, rows: Sequence[Any]) -> list[Recorded]:
        texts = self._database.texts
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
        async with contextlib.aclosing(self._pages(tenant_id, run_id, after, READ_MAX, None)) as pages:
            async for page in pages:
                for recorded in page:
                    yield recorded

    def pages(
        self, tenant_id: str, run_id: str, *, after: int = 0, idle_s: float | None = None
    ) -> AsyncIterator[list[Recorded]]:
        """See `EventLog.pages`."""
        return self._pages(tenant_id, run_id, after, PAGE_MAX, idle_s)

    async def _pages(
        self, tenant_id: str, run_id: str, after: int, limit: int, idle_s: float | None
    ) -> AsyncGenerator[list[Recorded]]:
        async with self._watcher.reader(tenant_id, run_id) as woken:
            # The first page is the database's: what is kept in memory may be folded or erased there.
            found = await self._first(tenant_id, run_id, after, limit)
            if found is None:
                return
            self._watcher.saw(tenant_id, run_id, found[-1].seq if found else after, woken)
            while True:
                if found:
                    after = found[-1].seq
                    yield found
                # A run that waits for a person has another end when that takes too long.
                if found and found[-1].event.type in TERMINAL:
                    return
                if len(found) < limit and not await _set_within(woken, idle_s):
                    yield []
                woken.clear()
                found = self._watcher.fresh(tenant_id, run_id, after, limit)
                found = found or await self.read(tenant_id, run_id, after=after, limit=limit)

    async def _first(self, tenant_id: str, run_id: str, after: int, limit: int) -> list[Recorded] | None:
        """Read a first page, None where nothing can come any more; refuse a run or a number that does not exist."""
        asked = {"of_tenant": tenant_id, "of_run": run_id, "after": after, "most": limit}
        rows = await self._database.peek(lambda c: _FIRST.all(c, asked))
        row = rows[0] if rows else None
        if row is None:
            raise NotFound(f"There is no run '{run_id}'. 'motet runs list' shows them.")
        if after > row.last_seq:
            raise InvalidInput(
                f"Run {run_id} has {row.last_seq} events; there is no event {after} to go on from."
            )
        if after == row.last_seq and row.status not in ("pending", "running"):
            return None
        return self._recorded(tenant_id, run_id, rows if row.seq is not None else ())


async def _set_within(event: asyncio.Event, idle_s: float | None) -> bool:
    """Wait for an event, at most so long; say whether it came."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(idle_s):
            return await event.wait()
    return False


def encode_one(event: Event) -> str:
    """Return an event's JSON as it is stored."""
    return encode(event)[1]


def insert(
    connection: Connection, tenant_id: str, run_id: str, first_seq: int, encoded: Sequence[str]
) -> float:
    """Insert encoded events from `first_seq` on; return their time by the database's clock."""
    at = _NOW.one(connection)[0]
    _insert(connection, (tenant_id, run_id), first_seq, encoded, at)
    return at


def _insert(
    connection: Connection, of: tuple[str, str], first_seq: int, encoded: Sequence[str], at: float
) -> None:
    tenant_id, run_id = of
    one, texts = {"tenant_id": tenant_id, "run_id": run_id, "at": at}, texts_of(connection)
    rows = [
        one | {"seq": seq, "event": texts.close(event, tenant_id, "events", run_id, seq)}
        for seq, event in enumerate(encoded, first_seq)
    ]
    _PUT.do(connection, *rows)
    announce(connection, tenant_id, run_id, first_seq + len(rows) - 1)


_NOW = Ready(sa.select(db_now()))
_PUT = Ready(sa.insert(table))
_MY_RUN = (runs.c.tenant_id == sa.bindparam("of_tenant"), runs.c.run_id == sa.bindparam("of_run"))
_END = (
    sa.update(runs)
    .where(*_MY_RUN, runs.c.fence == sa.bindparam("of_fence"), runs.c.status == "running")
    .values(last_seq=runs.c.last_seq + sa.bindparam("more"))
    .returning(runs.c.last_seq, runs.c.undo, db_now().label("at"))
)
_COUNT = Ready(_END)
_OVER: dict[str, Any] = {
    "ended_at": db_now(),
    "worker_id": None,
    "lease_until": None,
    "cancel_requested": False,
}
_ENDED = Ready(_END.values(status=sa.bindparam("to_status"), error=sa.bindparam("to_error"), **_OVER))
_USED = Ready(
    sa.update(threads)
    .where(threads.c.tenant_id == sa.bindparam("of_tenant"), threads.c.thread_id == sa.bindparam("of_thread"))
    .values(updated_at=db_now())
)
_READ = Ready(
    sa.select(table.c.seq, table.c.at, table.c.event, runs.c.thread_id)
    .join(runs, sa.and_(runs.c.tenant_id == table.c.tenant_id, runs.c.run_id == table.c.run_id))
    .where(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.run_id == sa.bindparam("of_run"))
    .where(table.c.seq > sa.bindparam("after"))
    .order_by(table.c.seq)
    .limit(sa.bindparam("most"))
)
_FIRST = Ready(
    sa.select(table.c.seq, table.c.at, table.c.event, runs.c.thread_id, runs.c.status, runs.c.last_seq)
    .select_from(
        runs.outerjoin(
            table,
            sa.and_(
                table.c.tenant_id == runs.c.tenant_id,
                table.c.run_id == runs.c.run_id,
                table.c.seq > sa.bindparam("after"),
            ),
        )
    )
    .where(*_MY_RUN)
    .order_by(table.c.seq)
    .limit(sa.bindparam("most"))
)


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
    job = claim.job
    place = {"of_tenant": job.tenant_id, "of_run": job.run_id, "of_fence": claim.fence, "more": len(events)}
    changed = ending(connection, job, events[-1])
    if not changed:
        row = _COUNT.first(connection, place)
    elif isinstance(events[-1], RunRetrying):
        row = connection.execute(_END.values(**changed), place).first()
    else:
        over = {"to_status": changed["status"], "to_error": changed["error"]}
        row = _ENDED.first(connection, {**place, **over})
    if row is None:
        raise LeaseLost(f"Run {job.run_id} is another worker's, or has ended.", run_id=job.run_id)
    if row.undo:
        _undo(connection, job, events[-1])
    first = row.last_seq - len(events) + 1
    _insert(connection, (job.tenant_id, job.run_id), first, encoded, row.at)
    remember(connection, job, events)
    if changed:
        let_go(connection)
    if events[-1].type in TERMINAL:
        _USED.do(connection, {"of_tenant": job.tenant_id, "of_thread": job.thread_id})
    return [
        Recorded(run_id=job.run_id, thread_id=job.thread_id, seq=first + i, at=row.at, event=event)
        for i, event in enumerate(events)
    ]


def _undo(connection: Connection, job: RunJob, last: Event) -> None:
    """Take back what a run that is rolled back told, with its last event.

    Raises:
        MustUndo: The event ends the run as if it counted.
    """
    if isinstance(last, RunCancelledEvent) and last.undone:
        transcript.delete_run(connection, job.tenant_id, job.thread_id, job.run_id)
    elif last.type in TERMINAL or isinstance(last, RunRetrying):
        raise MustUndo("another run took its place (rollback)")


def ending(connection: Connection, run: _Run, event: Event) -> dict[str, Any]:
    """Return the columns that an event changes in its run's row: one that ends it, or puts it back; {} for others."""
    status: RunStatus
    error: str | None = None
    match event:
        case RunCompleted():
            status = "success"
        case RunFailed():
            said = json.dumps(event.error, ensure_ascii=False)
            status = "error"
            error = texts_of(connection).close(said, run.tenant_id, "runs", run.run_id, "error")
        case RunCancelledEvent():
            status = "cancelled"
        case RunInterrupted():
            status = "interrupted"
        case RunRetrying():
            return _put_back(event)
        case _:
            return {}
    return {"status": status, "error": error, **_OVER}


def _put_back(event: RunRetrying) -> dict[str, Any]:
    """Return the columns of a run that waits for its next try; the attempt does not count, its worker is well."""
    due = sa.case((runs.c.cancel_requested, 0.0), else_=db_now() + event.delay_s)
    return {
        "status": "pending",
        "not_before": due,
        "attempt": runs.c.attempt - 1,
        "retries": runs.c.retries + 1,
        "worker_id": None,
        "lease_until": None,
    }
