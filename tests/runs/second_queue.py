"""A second queue, for the conformance suite: an engine of its own says when there may be work, the rows say what.

It stands for a queue on a broker. The engine here is a list in the process: it is told of runs by `accepted`, loses
what it holds as a broker may, and is told again by reading the rows that it does not know. What makes a run one
worker's is the change of its row, as the port says, and that is the rows' own queue's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.runs.queue.sql import SqlQueue

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from motet.runs.queue.base import Claim, Pulse
    from motet.runs.request import RunJob
    from motet.settings import RunSettings
    from motet.storage.engine import Database

LOST = 3
"""Of so many messages the engine loses one."""


class BrokerQueue:
    """A `RunQueue` that asks its engine first, and the rows when that knows nothing."""

    def __init__(self, database: Database, settings: RunSettings) -> None:
        self._rows = SqlQueue(database, settings)
        self._told: list[str] = []
        self._heard = 0
        self.wakes = 0
        """How often a claim was made because the engine had something."""

    def accepted(self, job: RunJob) -> None:
        self._heard += 1
        if self._heard % LOST:
            self._told.append(job.run_id)

    async def claim(
        self, worker_id: str, *, thread_ids: Collection[str] | None = None, urgent: bool = True
    ) -> Claim | None:
        if self._told:
            self._told.pop(0)
            self.wakes += 1
        return await self._rows.claim(worker_id, thread_ids=thread_ids, urgent=urgent)

    async def heartbeat(self, worker_id: str, *, run_ids: Collection[str] | None = None) -> list[Pulse]:
        return await self._rows.heartbeat(worker_id, run_ids=run_ids)

    async def cancels(self, run_ids: Sequence[str]) -> set[str]:
        return await self._rows.cancels(run_ids)

    async def request_cancel(
        self, tenant_id: str, run_id: str, *, reason: str = "cancelled before it began"
    ) -> bool:
        return await self._rows.request_cancel(tenant_id, run_id, reason=reason)

    async def release(self, claim: Claim) -> None:
        await self._rows.release(claim)
        self._told.append(claim.job.run_id)

    async def recover(self, worker_id: str) -> int:
        return await self._rows.recover(worker_id)
