"""The port of the queue: who works on which accepted run, and for how long.

What does not live here: what a run does. A queue is one file and one line in `QUEUES`; every queue passes the same
conformance suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from motet.runs.request import RunJob

QUEUES: dict[str, str] = {"sql": "motet.runs.queue.sql:SqlQueue"}
"""Known queues."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is this worker's, as long as its lease lasts."""

    job: RunJob
    fence: int
    """Grows with every claim of the run: writes under an older fence are refused."""
    attempt: int
    """From 1; more than 1 after a crash."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat learned about one of the worker's runs."""

    run_id: str
    fence: int
    cancel_requested: bool


class RunQueue(Protocol):
    """Hands accepted runs to workers: one worker a run, one run a thread, first come first served."""

    async def claim(self, worker_id: str, *, thread_ids: Collection[str] | None = None) -> Claim | None:
        """Take the next run that may start, or whose worker is gone; None when there is none.

        Args:
            worker_id: Who asks, from `owner.worker_id()`.
            thread_ids: Only runs of these threads; all unless given.
        """
        ...

    async def heartbeat(self, worker_id: str, *, run_ids: Collection[str] | None = None) -> list[Pulse]:
        """Renew the leases of this worker's runs and return those runs; one that is missing is lost.

        Args:
            worker_id: Whose runs.
            run_ids: Only these, those it still works on; all unless given.
        """
        ...

    async def cancels(self, run_ids: Sequence[str]) -> set[str]:
        """Return which of these runs somebody wants stopped."""
        ...

    async def request_cancel(self, tenant_id: str, run_id: str) -> bool:
        """Ask for a run to be stopped; False when it has ended already. Asking again does nothing more."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give a run back unfinished, at once, to any worker: used when a worker is shut down."""
        ...

    async def recover(self, worker_id: str) -> int:
        """End the leases of workers of this machine whose process is gone; return how many."""
        ...
