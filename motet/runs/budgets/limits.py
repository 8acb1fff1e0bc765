"""Which limits count for a run: its own, and those of its conversation, its owner and its tenant.

What does not live here: what was spent (`meters`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from motet.runs.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.runs.request import RunJob
    from motet.settings import BudgetSettings

Scope = Literal["run", "thread", "user", "tenant"]
"""What a limit is for. A user's and a tenant's count a day (UTC); the others count for good."""

DAILY: frozenset[Scope] = frozenset({"user", "tenant"})
"""Scopes whose meter begins anew each day; only who answers for the tenant may allow more there."""

WORDS: Mapping[Scope, str] = {
    "run": "this run",
    "thread": "this conversation",
    "user": "this user today",
    "tenant": "this tenant today",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget, and the meter that it is read from."""

    scope: Scope
    scope_id: str
    budget: Budget


@dataclass(frozen=True, slots=True)
class Defaults:
    """The limits that the settings give to every run, conversation, user and tenant."""

    run: Budget = field(default_factory=Budget)
    thread: Budget = field(default_factory=Budget)
    user: Budget = field(default_factory=Budget)
    tenant: Budget = field(default_factory=Budget)

    @classmethod
    def of(cls, settings: BudgetSettings) -> Defaults:
        """Read the settings.

        Raises:
            InvalidInput: One of them is no budget.
        """
        scopes = (settings.run, settings.thread, settings.user_day, settings.tenant_day)
        return cls(*(Budget.parse(text) for text in scopes))


def limits_of(job: RunJob, defaults: Defaults) -> list[Limit]:
    """Return the limits that count for a run, always in the same order; [] when it may spend what it likes."""
    played = job.options.played()
    if played is not None and not (played.live or played.live_from):
        return []  # nothing is called, and nothing costs
    own = job.options.budget
    run_id = job.budget_of or job.run_id
    found = [
        Limit("run", run_id, _both(defaults.run, own) if own else defaults.run),
        Limit("thread", job.thread_id, defaults.thread),
        Limit("user", job.owner_id, defaults.user),
        Limit("tenant", job.tenant_id, defaults.tenant),
    ]
    return [limit for limit in found if limit.budget]


def _both(one: Budget, other: Budget) -> Budget:
    """Return the narrower of two budgets, limit by limit."""
    merged = {
        name: min((v for v in (getattr(one, name), getattr(other, name)) if v is not None), default=None)
        for name in Budget.model_fields
        if name != "at_limit"
    }
    asks = one.at_limit == other.at_limit == "ask"
    return Budget.model_validate(merged | {"at_limit": "ask" if asks else "fail"})
