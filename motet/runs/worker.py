"""A worker: claims runs, executes them side by side, keeps their leases, stops them when asked.

What does not live here: what a run does (`execute`) and the order of runs (`queue`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motet.errors import DatabaseFull, DatabaseUnavailable, LeaseLost, MotetError
from motet.runs.calm import Calm
from motet.runs.queue.owner import worker_id
from motet.runs.whole import to_its_end
from motet.telemetry import of_run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from motet.runs.execute import Engine
    from motet.runs.queue.base import Claim, RunQueue
    from motet.settings import RunSettings

logger = logging.getLogger(__name__)

WATCH_S = 0.25
"""How often a worker looks for runs to stop, and for runs that other processes left."""

GIVE_BACK_S = 0.5
"""How often a worker tries to give a run back that the database's state stopped."""


@dataclass(slots=True)
class _Active:
    claim: Claim
    task: asyncio.Task[None]
    working: bool = False
    """Whether the engine has it. Before that there is nothing to cancel: the engine looks for a reason first."""
    stop_reason: str | None = None


class Worker:
    """Works on runs until it is closed. `threads` None takes any run; a set takes only runs of those threads.

    `chores` are done with every heartbeat.
    """

    def __init__(
        self,
        queue: RunQueue,
        engine: Engine,
        settings: RunSettings,
        *,
        threads: set[str] | None = None,
        chores: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self.worker_id = worker_id()
        self._queue = queue
        self._engine = engine
        self._settings = settings
        self._threads = threads
        self._chores = chores
        self._active: dict[str, _Active] = {}
        self._wake = asyncio.Event()
        self._urgent = True
        """Whether there is a reason to look for runs, besides a place that became free."""
        self._calm = Calm()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to claim runs, those of workers that are gone first."""
        await self._queue.recover(self.worker_id)
        self._loops = [
            asyncio.create_task(self._claim_loop(), name="motet-claim"),
            asyncio.create_task(self._watch_loop(), name="motet-watch"),
            asyncio.create_task(self._heartbeat_loop(), name="motet-heartbeat"),
        ]

    def wake(self, thread_id: str) -> None:
        """Say that a run was accepted for a thread."""
        if self._threads is not None:
            self._threads.add(thread_id)
        self._urgent = True
        self._wake.set()

    def let_go(self, thread_id: str) -> None:
        """Take no further run of a thread; for a worker of named threads."""
        if self._threads is not None:
            self._threads.discard(thread_id)

    async def stop(self, run_id: str, reason: str) -> None:
        """Stop a run that this worker works on; nothing happens when it does not."""
        active = self._active.get(run_id)
        if active is not None and active.stop_reason is None:
            active.stop_reason = reason
            if active.working:
                active.task.cancel()

    async def drain(self, grace_s: float) -> int:
        """Stop claiming at once, let runs end for so many seconds, give the others back; return how many those are.

        Until then leases are kept and runs are stopped on demand. Afterwards the worker is closed.
        """
        claiming = self._loops[:1]
        for loop in claiming:
            loop.cancel()
        await asyncio.gather(*claiming, return_exceptions=True)
        running = [active.task for active in self._active.values()]
        late = (await asyncio.wait(running, timeout=grace_s))[1] if running else set[asyncio.Task[None]]()
        await self.aclose()
        return sum(task.cancelled() for task in late)

    async def aclose(self) -> None:
        """Stop claiming, give unfinished runs back to the queue, and return when nothing runs any more."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        unfinished = list(self._active.values())
        for active in unfinished:
            active.task.cancel()
        await asyncio.gather(*(active.task for active in unfinished), return_exceptions=True)
        for active in unfinished:
            if not active.working:  # a task that is cancelled before its first step cannot give its run back
                await self._release(active.claim)
        self._active.clear()

    async def _claim_loop(self) -> None:
        while True:
            self._wake.clear()
            try:
                while len(self._active) < self._settings.concurrency:
                    await self._calm.wait()
                    if not await self._claim_one():
                        break
            except Exception as error:  # noqa: BLE001  # the worker's edge: a locked database must not end it
                _tell("claim runs", error)
            # Not wait_for: on Python 3.11 it loses a cancellation that comes together with the wake-up.
            try:
                async with asyncio.timeout(WATCH_S):
                    await self._wake.wait()
            except TimeoutError:
                self._urgent = True

    async def _claim_one(self) -> bool:
        claims: list[Claim] = []

        async def claiming() -> None:
            urgent, self._urgent = self._urgent, False
            claim = await self._queue.claim(self.worker_id, thread_ids=self._threads, urgent=urgent)
            claims.extend(() if claim is None else (claim,))

        try:
            await to_its_end(claiming())
        except asyncio.CancelledError:  # what was being claimed may be committed
            for late in claims:
                await self._release(late)
            raise
        if not claims:
            return False
        [claim] = claims
        run_id = claim.job.run_id
        if run_id in self._active:  # its lease ended before this worker could renew it
            self._active[run_id].task.cancel()
        active = _Active(claim, asyncio.create_task(self._execute(claim), name=f"motet-run-{run_id}"))
        self._active[run_id] = active
        return True

    async def _execute(self, claim: Claim) -> None:
        run_id = claim.job.run_id
        active, about = self._active[run_id], of_run(run_id, claim.job.thread_id)
        logger.info("works on run %s", run_id, extra=about)
        try:
            if claim.cancel_requested and active.stop_reason is None:
                active.stop_reason = "cancelled before it began"
            active.working = True
            await self._engine.execute(claim, stopped=lambda: active.stop_reason)
        except asyncio.CancelledError:
            await self._release(claim)
            raise
        except LeaseLost:
            logger.warning("run %s was taken over by another worker", run_id, extra=about)
        except (DatabaseFull, DatabaseUnavailable) as error:
            _tell(f"go on with run {run_id}", error)
            await self._give_back(claim)
        except Exception as error:  # noqa: BLE001  # the worker's edge: its end could not be written
            # Its lease is not renewed any more, and then a worker takes it up again.
            _tell(f"end run {run_id}", error)
        finally:
            if self._active.get(run_id) is active:  # and not this worker's own later claim of it
                del self._active[run_id]
            logger.info("has done with run %s", run_id, extra=about)
            self._wake.set()

    async def _give_back(self, claim: Claim) -> None:
        """Give a run back that a full or absent database stopped, as soon as that takes it, or its lease ends.

        The pause before is for a database that takes this and then not the run's next write.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.lease_s):
                while True:
                    await asyncio.sleep(GIVE_BACK_S)
                    with contextlib.suppress(MotetError):
                        await self._queue.release(claim)
                        return

    async def _release(self, claim: Claim) -> None:
        """Give a run back; where that fails, its lease ends by itself."""
        with contextlib.suppress(MotetError):
            await self._queue.release(claim)

    async def _watch_loop(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if not self._active:
                continue
            try:
                for run_id in await self._queue.cancels(list(self._active)):
                    await self.stop(run_id, "cancelled")
            except Exception as error:  # noqa: BLE001  # the worker's edge
                _tell("look for runs to stop", error)

    async def _do_chores(self) -> None:
        for chore in self._chores:
            try:
                await chore()
            except Exception as error:  # noqa: BLE001  # the worker's edge: leases are renewed all the same
                _tell("do a chore", error)

    async def _heartbeat_loop(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            before = dict(self._active)
            await self._do_chores()
            try:
                await self._queue.recover(self.worker_id)
                if not before:
                    continue
                renewed = await self._queue.heartbeat(self.worker_id, run_ids=list(before))
                pulses = {pulse.run_id: pulse.fence for pulse in renewed}
            except Exception as error:  # noqa: BLE001  # the worker's edge
                _tell("renew leases", error)
                continue
            for run_id, active in before.items():
                ended = self._active.get(run_id) is not active
                if not ended and pulses.get(run_id) != active.claim.fence:
                    active.task.cancel()  # without a reason: another worker owns the run


def _tell(what: str, error: Exception) -> None:
    """Log what a loop could not do this time; it tries again."""
    if isinstance(error, MotetError):
        logger.warning("cannot %s: %s", what, error.message)
    else:
        logger.error("cannot %s", what, exc_info=error)
