"""Budgets as the engine and the app use them: a guard for each attempt, what there is when a run stops, a report.

What does not live here: the parts that do it (`guard`, `meters`, `question`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.events import StepCompleted, ToolCompleted
from motet.runs.budget import NAMES
from motet.runs.budgets import meters
from motet.runs.budgets.limits import Defaults, limits_of
from motet.storage.tables import runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from motet.events import Event
    from motet.models.prices import Prices
    from motet.runs.budgets.guard import Guard
    from motet.runs.budgets.limits import Scope
    from motet.runs.log.base import EventLog
    from motet.runs.queue.base import Claim
    from motet.runs.request import RunJob
    from motet.storage.engine import Database

SHOWN_CHARS = 2000
"""So much of one result is shown when a run stops with what there is."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One limit, and what was spent of it."""

    scope: Scope
    limit: str
    spent: float
    allowed: float | None


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one database."""

    database: Database
    log: EventLog
    defaults: Defaults
    prices: Prices
    max_output_tokens: int
    cheaper_model: str
    """Which model a person is offered when a budget is spent."""

    def guard(self, claim: Claim) -> Guard | None:
        """Return who watches over an attempt; None when nothing limits it. Call it on the run's event loop."""
        limits = limits_of(claim.job, self.defaults)
        if not limits:
            return None
        from motet.runs.budgets.guard import Guard  # noqa: PLC0415  # imports LangGraph

        return Guard(
            self.database,
            claim,
            limits,
            self.prices,
            max_output_tokens=self.max_output_tokens,
            cheaper_model=self.cheaper_model,
        )

    async def report(self, job: RunJob) -> list[Spent]:
        """Return every limit that counts for a run with what was spent of it, the run's own first."""
        limits = limits_of(job, self.defaults)
        rows = await self.database.read(lambda c: meters.read(c, job.tenant_id, limits))
        return [
            Spent(
                limit.scope,
                name,
                meters.spent_of(row, name) if row else 0,
                meters.allowed_of(limit, row, name),
            )
            for limit, row in rows
            for name, field in NAMES.items()
            if getattr(limit.budget, field) is not None
        ]

    async def what_there_is(self, job: RunJob, *, chinese: bool) -> str:
        """Return what a run and those that it goes on from found so far, as the answer of one that was stopped."""
        events: list[Event] = []
        for run_id in await self._chain(job):
            after = 0
            while found := await self.log.read(job.tenant_id, run_id, after=after):
                events += [recorded.event for recorded in found]
                after = found[-1].seq
        return summary(events, chinese=chinese)

    async def _chain(self, job: RunJob) -> list[str]:
        first = sa.select(runs.c.position).where(
            runs.c.tenant_id == job.tenant_id, runs.c.run_id == (job.budget_of or job.run_id)
        )
        query = (
            sa.select(runs.c.run_id)
            .where(
                runs.c.tenant_id == job.tenant_id,
                runs.c.thread_id == job.thread_id,
                runs.c.position >= first.scalar_subquery(),
            )
            .order_by(runs.c.position)
        )
        rows = await self.database.read(lambda c: c.execute(query).scalars().all())
        run_ids = list(rows)
        return run_ids[: run_ids.index(job.run_id) + 1]


def summary(events: Iterable[Event], *, chinese: bool) -> str:
    """Return the results of steps and tools as a list; a step's result holds those of its tools."""
    steps = [e for e in events if isinstance(e, StepCompleted) and e.status == "done"]
    tools = [e for e in events if isinstance(e, ToolCompleted) and e.status == "success"]
    found = [e.result for e in steps] or [f"{e.name}: {e.content}" for e in tools]
    head = "预算已用完，按要求停止。" if chinese else "Stopped at the budget, as asked."
    if not found:
        return head + ("目前还没有结果。" if chinese else " Nothing was found until then.")
    lines = [f"- {text.strip()[:SHOWN_CHARS]}" for text in found if text.strip()]
    return "\n".join([head + ("目前的结果：" if chinese else " What there is so far:"), "", *lines])
