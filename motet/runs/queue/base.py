"""The port of the queue: who works on which accepted run, and for how long.

What does not live here: what a run does. A queue is one file and one line in `QUEUES`; every queue passes the same
conformance suite (`tests/runs/test_runs_queue_sql.py`).

Submitting is the gate's: it inserts the run's row, and the commit of that row is the acceptance. Rows with the status
`pending` are therefore every queue's outbox. A queue on another engine is told by `accepted` right after the commit,
and may enqueue there; a process that dies between the two has told nobody, so such a queue also reads the pending
rows that its engine does not know, when it starts and from time to time. Whatever engine hands a run out, the claim
itself is a change of the row: it gives the fence that the log and the saver check, and keeps a thread's runs apart.
A run that is tried again after a passing fault is a `pending` row too, with a time before which it must not start.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from motet.errors import SettingInvalid, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from motet.runs.request import RunJob

QUEUES: dict[str, str] = {"sql": "motet.runs.queue.sql:SqlQueue"}
"""Known queues; another package adds its own through the entry-point group `motet.queues`."""


def target_of(name: str) -> str:
    """Return the import string of a queue: a class that is made of a database and `RunSettings`.

    Raises:
        SettingInvalid: No queue has this name.
    """
    found = QUEUES.get(name) or next((p.value for p in entry_points(group="motet.queues", name=name)), None)
    if found is None:
        known = {*QUEUES, *entry_points(group="motet.queues").names}
        raise SettingInvalid(f"MOTET_QUEUE '{name}' is no queue.{did_you_mean(name, known)}")
    return found


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is this worker's, as long as its lease lasts."""

    job: RunJob
    fence: int
    """Grows with every claim of the run: writes under an older fence are refused."""
    attempt: int
    """From 1; more than 1 after a crash."""
    retries: int = 0
    """How often it was put back after a passing fault."""
    cancel_requested: bool = False
    """Whether somebody wants it stopped already."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat learned about one of the worker's runs."""

    run_id: str
    fence: int
    cancel_requested: bool


class RunQueue(Protocol):
    """Hands accepted runs to workers: one worker a run, one run a thread.

    Order: higher priority first; then the tenant whose last claim is longest ago; then first come, first served. A
    thread's runs start in the order of acceptance, and one that has begun goes on before any other of its thread
    starts. A run with a delay takes its place when that is over and blocks nobody before. A tenant has no more runs
    at work than `RunSettings.tenant_concurrency`.
    """

    def accepted(self, job: RunJob) -> None:
        """Hear of a run right after the commit of its row. It must not fail or wait, and may never be called."""
        ...

    async def claim(
        self, worker_id: str, *, thread_ids: Collection[str] | None = None, urgent: bool = True
    ) -> Claim | None:
        """Take the next run that may start, or whose worker is gone; None when there is none.

        A run whose job cannot be read (damaged, or made by a newer Motet) ends with `run.failed`, and the next one
        is taken.

        Args:
            worker_id: Who asks, from `owner.worker_id()`.
            thread_ids: Only runs of these threads; all unless given.
            urgent: False where the worker has no new reason to ask: nobody woke it, and it asked a moment ago. A queue
                that knows of nothing then need not look.
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

    async def request_cancel(
        self, tenant_id: str, run_id: str, *, reason: str = ..., undo: bool = False
    ) -> bool:
        """Ask for a run to be stopped; False when it has ended already. Asking again does nothing more.

        With `undo` its effects on the thread's state and transcript are taken back too.

        A run that no worker has ends at once, with `reason` in its last event; one that a worker has is in `cancels`
        from then on.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Give a run back unfinished, at once, to any worker: used when a worker is shut down."""
        ...

    async def recover(self, worker_id: str) -> int:
        """End the leases of workers of this machine whose process is gone; return how many."""
        ...
