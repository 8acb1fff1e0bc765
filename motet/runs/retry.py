"""Which faults pass by themselves, and when a run is tried again after one.

What does not live here: the calls of a model that its client repeats at once (`motet.models`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from motet.errors import ModelUnavailable, MotetError
from motet.events import RunRetrying
from motet.models.patience import retry_after_s

PASSING: tuple[type[MotetError], ...] = (ModelUnavailable,)
"""Faults that are gone after a while: a model's server is down, or too busy."""

MAX_RETRY_AFTER_S = 86400.0
"""A server that asks for a longer pause than a day is not waited for."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a run is tried again, and how long the pauses are."""

    max_retries: int = 0
    delay_s: float = 2.0
    """Before the first retry; it doubles with each."""
    max_delay_s: float = 300.0

    def after(self, error: MotetError, retries: int, *, max_retries: int | None = None) -> RunRetrying | None:
        """Return the event that puts a run back, or None when it has failed for good.

        Args:
            error: Why it stopped.
            retries: How often it was put back before.
            max_retries: What the run's caller allows; the policy's own unless given.
        """
        allowed = self.max_retries if max_retries is None else max_retries
        if retries >= allowed or not isinstance(error, PASSING):
            return None
        wanted = retry_after_s(str(error.fields.get("retry_after") or ""))
        if wanted > MAX_RETRY_AFTER_S:
            return None
        pause = min(self.delay_s * 2**retries, self.max_delay_s)
        # Runs that failed together must not all come back together; nobody comes earlier than it was told.
        pause = max(pause * random.uniform(0.5, 1.0), wanted * random.uniform(1.0, 1.1))  # noqa: S311
        return RunRetrying(retry=retries + 1, delay_s=round(pause, 3), error=error.to_dict())
