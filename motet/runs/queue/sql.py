"""The queue on Motet's own database: rows, leases by the database's clock, fencing tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.runs.queue.base import Claim, Pulse
from motet.runs.queue.owner import is_gone
from motet.runs.request import RunJob
from motet.storage.clock import db_now, lease_now
from motet.storage.tables import runs
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection

    from motet.settings import RunSettings
    from motet.storage.engine import Database


class SqlQueue:
    """A `RunQueue` whose rows are the runs themselves: accepted is enqueued."""

    def __init__(self, database: Database, settings: RunSettings) -> None:
        self._database = database
        self._settings = settings

    async def claim(self, worker_id: str, *, thread_ids: Collection[str] | None = None) -> Claim | None:
        """See `RunQueue.claim`. A look first: the writer is not asked while there is nothing to do."""
        query = _claimable(thread_ids, self._settings.lease_s)
        if await self._database.read(lambda c: c.execute(query).first()) is None:
            return None
        return await self._database.write(lambda c: self._claim(c, worker_id, query))

    async def heartbeat(self, worker_id: str, *, run_ids: Collection[str] | None = None) -> list[Pulse]:
        """See `RunQueue.heartbeat`."""
        these = sa.true() if run_ids is None else runs.c.run_id.in_(run_ids)
        renew = (
            sa.update(runs)
            .where(runs.c.worker_id == worker_id, runs.c.status == "running", these)
            .values(lease_until=lease_now() + self._settings.lease_s)
            .returning(runs.c.run_id, runs.c.fence, runs.c.cancel_requested)
        )
        rows = await self._database.write(lambda c: c.execute(renew).all())
        return [Pulse(row.run_id, row.fence, bool(row.cancel_requested)) for row in rows]

    async def cancels(self, run_ids: Sequence[str]) -> set[str]:
        """See `RunQueue.cancels`."""
        query = sa.select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), runs.c.cancel_requested)
        return set(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def request_cancel(self, tenant_id: str, run_id: str) -> bool:
        """See `RunQueue.request_cancel`. A run that nobody works on is claimed, told and stopped by a worker."""
        change = (
            sa.update(runs)
            .where(
                runs.c.tenant_id == tenant_id,
                runs.c.run_id == run_id,
                runs.c.status.in_(("pending", "running")),
            )
            .values(cancel_requested=True, not_before=0)
        )
        return await self._database.write(lambda c: c.execute(change).rowcount) > 0

    async def release(self, claim: Claim) -> None:
        """See `RunQueue.release`. The attempt does not count: nothing went wrong."""
        change = (
            sa.update(runs)
            .where(_held(claim))
            .values(status="pending", worker_id=None, lease_until=None, attempt=runs.c.attempt - 1)
        )
        await self._database.write(lambda c: c.execute(change))

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
        return await self._database.write(lambda c: c.execute(change).rowcount)

    def _claim(
        self, connection: Connection, worker_id: str, query: sa.Select[Any, Any, Any, Any]
    ) -> Claim | None:
        row = connection.execute(query.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        taken = connection.execute(
            sa.update(runs)
            .where(runs.c.position == row.position)
            .values(
                status="running",
                worker_id=worker_id,
                lease_until=lease_now() + self._settings.lease_s,
                fence=runs.c.fence + 1,
                attempt=runs.c.attempt + 1,
                started_at=sa.func.coalesce(runs.c.started_at, db_now()),
            )
            .returning(runs.c.fence, runs.c.attempt)
        ).one()
        job = texts_of(connection).open(row.job, row.tenant_id, "runs", row.run_id, "job")
        return Claim(RunJob.model_validate_json(job), taken.fence, taken.attempt)


def _claimable(thread_ids: Collection[str] | None, lease_s: float) -> sa.Select[Any, Any, Any, Any]:
    """Select the next run: free or abandoned, and the first of its thread that has not ended.

    A lease that ends much later than any worker takes one for was taken by a clock that has been set back since.
    """
    free = sa.and_(runs.c.status == "pending", runs.c.not_before <= db_now())
    left_s = runs.c.lease_until - lease_now()
    abandoned = sa.and_(runs.c.status == "running", sa.or_(left_s < 0, left_s > 10 * lease_s))
    earlier = runs.alias()
    in_front = sa.exists().where(
        earlier.c.tenant_id == runs.c.tenant_id,
        earlier.c.thread_id == runs.c.thread_id,
        earlier.c.position < runs.c.position,
        earlier.c.status.in_(("pending", "running")),
    )
    query = sa.select(runs.c.position, runs.c.tenant_id, runs.c.run_id, runs.c.job).where(
        sa.or_(free, abandoned), ~in_front
    )
    if thread_ids is not None:
        query = query.where(runs.c.thread_id.in_(sorted(thread_ids)))
    return query.order_by(runs.c.priority.desc(), runs.c.position).limit(1)


def _held(claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(
        runs.c.tenant_id == claim.job.tenant_id,
        runs.c.run_id == claim.job.run_id,
        runs.c.fence == claim.fence,
        runs.c.status == "running",
    )
