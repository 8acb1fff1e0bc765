"""The queue on Motet's own database: rows, leases by the database's clock, fencing tokens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import ValidationError

from motet.errors import StateCorrupt
from motet.events import RunFailed
from motet.memory import transcript
from motet.runs.ending import ask_to_stop, close
from motet.runs.queue.base import Claim, Pulse
from motet.runs.queue.owner import is_gone
from motet.runs.request import RunJob
from motet.storage.clock import db_now, lease_now
from motet.storage.ready import Ready
from motet.storage.tables import queue_turns, runs
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from motet.settings import RunSettings
    from motet.storage.engine import Database

NOTHING_S = 0.2
"""For so long a worker does not look again that found no run but its own; runs of this process it is told of."""

_CLAIM_LOCK = 0x4D6F746575  # PostgreSQL's advisory lock while somebody claims; SQLite has one writer anyway


class _Next:
    """The question which run is next, to look, and to take it."""

    def __init__(self, query: sa.Select[Any, Any]) -> None:
        self.look = Ready(query)
        self.lock = Ready(query.with_for_update(of=runs, skip_locked=True))


class SqlQueue:
    """A `RunQueue` whose rows are the runs themselves: accepted is enqueued."""

    def __init__(self, database: Database, settings: RunSettings) -> None:
        self._database = database
        self._settings = settings
        self._expected = 0
        """Runs that were accepted in this process and perhaps not claimed yet."""
        self._nothing_until = 0.0
        """Until then nothing can be claimed but what is expected, by `time.monotonic`."""
        # Made once: to put the question together takes longer than to answer it.
        self._next, self._next_of = (_Next(_claimable(settings, of_threads=named)) for named in (False, True))

    def accepted(self, job: RunJob) -> None:  # noqa: ARG002  # the port's
        """See `RunQueue.accepted`. The row itself is the queue: workers find it."""
        self._expected += 1

    async def claim(
        self, worker_id: str, *, thread_ids: Collection[str] | None = None, urgent: bool = True
    ) -> Claim | None:
        """See `RunQueue.claim`. A look first: the writer is not asked while there is nothing to do.

        Where a run was accepted in this process since, there is something, as a rule. And where the last look found no
        run but the worker's own, there is nothing else for a moment: what other processes accept can wait so long.
        """
        asked, named = (self._next, {}) if thread_ids is None else (self._next_of, {"of": sorted(thread_ids)})
        if self._expected:
            self._expected -= 1
        elif (not urgent and time.monotonic() < self._nothing_until) or not await self._look(
            worker_id, asked.look, named
        ):
            return None
        claim = await self._database.jot(lambda c: self._claim(c, worker_id, asked.lock, named))
        if claim is None:
            self._expected, self._nothing_until = 0, 0.0
        return claim

    async def _look(self, worker_id: str, query: Ready, named: Mapping[str, Any]) -> bool:
        """Say whether a run can be claimed; where there is none but the worker's own, keep that in mind."""

        def look(connection: Connection) -> tuple[bool, bool]:
            found = query.first(connection, named) is not None
            return found, found or _WAITING.first(connection, {"by": worker_id}) is not None

        found, waits = await self._database.peek(look)
        self._nothing_until = 0.0 if waits else time.monotonic() + NOTHING_S
        return found

    async def heartbeat(self, worker_id: str, *, run_ids: Collection[str] | None = None) -> list[Pulse]:
        """See `RunQueue.heartbeat`."""
        these = sa.true() if run_ids is None else runs.c.run_id.in_(run_ids)
        renew = (
            sa.update(runs)
            .where(runs.c.worker_id == worker_id, runs.c.status == "running", these)
            .values(lease_until=lease_now() + self._settings.lease_s)
            .returning(runs.c.run_id, runs.c.fence, runs.c.cancel_requested)
        )
        rows = await self._database.jot(lambda c: c.execute(renew).all())
        return [Pulse(row.run_id, row.fence, bool(row.cancel_requested)) for row in rows]

    async def cancels(self, run_ids: Sequence[str]) -> set[str]:
        """See `RunQueue.cancels`."""
        query = sa.select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), runs.c.cancel_requested)
        return set(await self._database.peek(lambda c: c.execute(query).scalars().all()))

    async def request_cancel(
        self,
        tenant_id: str,
        run_id: str,
        *,
        reason: str = "cancelled before it began",
        undo: bool = False,
    ) -> bool:
        """See `RunQueue.request_cancel`."""
        query = sa.select(runs).where(
            runs.c.tenant_id == tenant_id,
            runs.c.run_id == run_id,
            runs.c.status.in_(("pending", "running")),
        )

        def work(connection: Connection) -> bool:
            row = connection.execute(query.with_for_update()).first()
            if row is not None:
                ask_to_stop(connection, row, reason=reason, undo=undo)
            return row is not None

        return await self._database.jot(work)

    async def release(self, claim: Claim) -> None:
        """See `RunQueue.release`. The attempt does not count: nothing went wrong."""
        change = (
            sa.update(runs)
            .where(_held(claim))
            .values(status="pending", worker_id=None, lease_until=None, attempt=runs.c.attempt - 1)
        )
        await self._database.jot(lambda c: c.execute(change))

    async def recover(self, worker_id: str) -> int:
        """See `RunQueue.recover`."""
        query = sa.select(runs.c.worker_id).where(runs.c.status == "running").distinct()
        workers = await self._database.read(lambda c: c.execute(query).scalars().all())
        gone = [worker for worker in workers if worker and worker != worker_id and is_gone(worker)]
        if not gone:
            return 0
        change = (
            sa.update(runs)
            .where(runs.c.worker_id.in_(gone), runs.c.status == "running")
            .values(lease_until=0.0)
        )
        return await self._database.jot(lambda c: c.execute(change).rowcount)

    def _claim(
        self, connection: Connection, worker_id: str, query: Ready, named: Mapping[str, Any]
    ) -> Claim | None:
        if connection.dialect.name == "postgresql":  # limits and turns hold only when one claims at a time
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
        while (row := query.first(connection, named)) is not None:
            job = _job(connection, row)
            if job is not None:
                return self._take(connection, worker_id, row, job)
        return None

    def _take(self, connection: Connection, worker_id: str, row: Any, job: RunJob) -> Claim:
        how = {"at": row.position, "by": worker_id, "for_s": self._settings.lease_s}
        taken = _TAKE.one(connection, how)
        _turn(connection, job.tenant_id)
        if row.started_at is None:
            asked = (message.get("id") for message in (job.input or {}).get("messages", ()))
            transcript.move_to_end(
                connection, job.tenant_id, job.thread_id, [str(one) for one in asked if one]
            )
        return Claim(job, taken.fence, taken.attempt, taken.retries, bool(taken.cancel_requested))


_TAKE = Ready(
    sa.update(runs)
    .where(runs.c.position == sa.bindparam("at"))
    .values(
        status="running",
        worker_id=sa.bindparam("by"),
        lease_until=lease_now() + sa.bindparam("for_s", type_=sa.Float),
        fence=runs.c.fence + 1,
        attempt=runs.c.attempt + 1,
        started_at=sa.func.coalesce(runs.c.started_at, db_now()),
    )
    .returning(runs.c.fence, runs.c.attempt, runs.c.retries, runs.c.cancel_requested)
)


def _claimable(settings: RunSettings, *, of_threads: bool) -> sa.Select[Any, Any]:
    """Select the next run: free or abandoned, with its thread to itself and a place within its tenant's limit.

    With `of_threads` it takes the threads that may be worked on as the parameter `of`.

    A lease that ends much later than any worker takes one for was taken by a clock that has been set back since.
    """
    free = sa.and_(runs.c.status == "pending", runs.c.not_before <= db_now())
    left_s = runs.c.lease_until - lease_now()
    abandoned = sa.and_(runs.c.status == "running", sa.or_(left_s < 0, left_s > 10 * settings.lease_s))
    begun = runs.c.started_at.is_not(None)  # nothing else of its thread has: it goes on first
    turn = sa.select(queue_turns.c.turn).where(queue_turns.c.tenant_id == runs.c.tenant_id).scalar_subquery()
    query = sa.select(runs).where(
        _unfinished(runs.c), sa.or_(free, abandoned), sa.or_(begun, ~_is_behind_another())
    )
    if settings.tenant_concurrency:
        other = runs.alias()
        busy = (
            sa.select(sa.func.count())
            .where(_unfinished(other.c), other.c.tenant_id == runs.c.tenant_id, other.c.status == "running")
            .scalar_subquery()
        )
        query = query.where(sa.or_(abandoned, busy < settings.tenant_concurrency))
    if of_threads:
        query = query.where(runs.c.thread_id.in_(sa.bindparam("of", expanding=True)))
    return query.order_by(runs.c.priority.desc(), sa.func.coalesce(turn, 0), runs.c.position).limit(1)


def _is_behind_another() -> sa.ColumnElement[bool]:
    """Say whether another run of the thread has begun, or was accepted earlier and may start."""
    other = runs.alias()
    return sa.exists().where(
        other.c.tenant_id == runs.c.tenant_id,
        other.c.thread_id == runs.c.thread_id,
        _unfinished(other.c),
        other.c.position != runs.c.position,
        sa.or_(
            other.c.started_at.is_not(None),
            sa.and_(other.c.position < runs.c.position, other.c.not_before <= db_now()),
        ),
    )


def _unfinished(columns: Any) -> sa.ColumnElement[bool]:
    """Say that a run has not ended, in the words of the index of those runs."""
    return columns.status.in_([sa.literal_column("'pending'"), sa.literal_column("'running'")])


_WAITING = Ready(
    sa.select(sa.literal(1))
    .where(_unfinished(runs.c), sa.or_(runs.c.status == "pending", runs.c.worker_id != sa.bindparam("by")))
    .limit(1)
)


def _job(connection: Connection, row: Any) -> RunJob | None:
    """Read a run's job; one that cannot be read ends its run, or it would block its thread for ever."""
    try:
        text = texts_of(connection).open(row.job, row.tenant_id, "runs", row.run_id, "job")
        return RunJob.model_validate_json(text)
    except (StateCorrupt, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.message
        problem = StateCorrupt(
            f"The job of run {row.run_id} cannot be read: it is damaged, or was made by a newer Motet ({why}). "
            "Submit it again.",
            run_id=row.run_id,
        )
        close(connection, row, RunFailed(error=problem.to_dict()))
        return None


def _turn(connection: Connection, tenant_id: str) -> None:
    """Put a tenant behind all others that have something to do."""
    turn = _NEXT_TURN.one(connection)[0]
    if _TURN.first(connection, {"of_tenant": tenant_id, "next_turn": turn}) is None:
        connection.execute(sa.insert(queue_turns).values(tenant_id=tenant_id, turn=turn))


_NEXT_TURN = Ready(
    sa.select(sa.select(sa.func.coalesce(sa.func.max(queue_turns.c.turn), 0) + 1).scalar_subquery())
)
_TURN = Ready(
    sa.update(queue_turns)
    .where(queue_turns.c.tenant_id == sa.bindparam("of_tenant"))
    .values(turn=sa.bindparam("next_turn"))
    .returning(queue_turns.c.turn)
)


def _held(claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(
        runs.c.tenant_id == claim.job.tenant_id,
        runs.c.run_id == claim.job.run_id,
        runs.c.fence == claim.fence,
        runs.c.status == "running",
    )
