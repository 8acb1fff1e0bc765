"""Batches a run's events on their way to the log.

The first event of a burst is written at once; those that come while a write is under way share the next one.
Pieces of one message that wait together become one piece. What waits when a checkpoint is stored is stored with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from motet.events import Event, MessageCompleted, MessageDelta, RunStarted, ToolCompleted, ToolStarted, Usage
from motet.runs.whole import to_its_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from motet.runs.log.base import EventLog
    from motet.runs.queue.base import Claim
    from motet.runs.redact import CleanEvents
    from motet.storage.along import Work

T = TypeVar("T")

DELTA_PAUSE_S = 0.04
"""After a write of text pieces alone, the next waits this long: 25 writes a second are smooth to the eye."""

COMPANY_S = 0.1
"""An event that nobody waits for is written with what comes next, at the latest after this long."""

PATIENT = (RunStarted, Usage, ToolStarted, ToolCompleted, MessageCompleted)
"""Events that nobody waits for: something else follows them soon."""

MAX_WAITING = 2000
"""A graph that speaks faster than the disk waits here."""


class EventWriter:
    """Appends one run's events in order. `put` returns early; `flush` when all are on disk.

    `clean` says what is told instead of an event.
    """

    def __init__(self, log: EventLog, claim: Claim, clean: CleanEvents | None = None) -> None:
        self._log = log
        self._claim = claim
        self._clean = clean
        self._waiting: list[Event] = []
        self._held: list[Event] = []
        self._turn = asyncio.Lock()
        """Held by the one write that is under way."""
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._seeks_company = False
        """Whether the next write waits for company; a checkpoint may have taken along what it was to write."""

    async def put(self, event: Event) -> None:
        """Queue an event.

        Raises:
            LeaseLost: An earlier write was refused.
        """
        await self._settled()
        told = self._cleaned(event)
        waits = self._seeks_company or bool(self._waiting and _nobody_waits_for(self._waiting))
        for one in told:
            if not _merged(self._waiting, one):
                self._waiting.append(one)
        if not told:  # held back
            return
        if not isinstance(event, PATIENT) and (waits or not isinstance(event, MessageDelta)):
            self._hurry.set()
        if self._task is None:
            self._begin()
        elif len(self._waiting) > MAX_WAITING:
            await self.flush()

    def hold(self, events: Iterable[Event]) -> None:
        """Keep events until the checkpoint that they tell of is stored, see `carry`, or until `release`."""
        for event in events:
            self._held += self._cleaned(event)

    async def release(self) -> None:
        """Queue what is still held: the checkpoint is stored, elsewhere.

        Raises:
            LeaseLost: An earlier write was refused.
        """
        if self._held:
            await self._settled()
            self._waiting += self._held
            self._held = []
            self._hurry.set()
            if self._task is None:
                self._begin()

    async def carry(self, store: Callable[[Work | None], Awaitable[T]]) -> T:
        """Have a checkpoint's transaction append what waits and what is held; see `storage.along.Carry`.

        Where that fails nothing of it is lost: what waited waits again, what was held is held.

        Raises:
            LeaseLost: The run is another worker's. Whatever `store` raises.
        """
        async with self._turn:
            waiting, held = self._waiting, self._held
            if not (waiting or held):
                return await store(None)
            self._waiting, self._held = [], []
            stored = False

            async def storing() -> T:
                nonlocal stored
                value = await self._log.append_with(self._claim, [*waiting, *held], store)
                stored = True
                return value

            if self._seeks_company:  # it has nothing left to write
                self._hurry.set()
            try:
                return await to_its_end(storing())
            finally:
                if not stored:
                    self._waiting[:0] = waiting
                    self._held[:0] = held

    def _cleaned(self, event: Event) -> Iterable[Event]:
        return (event,) if self._clean is None else tuple(self._clean.of(event))

    async def put_all(self, events: Iterable[Event]) -> None:
        """Queue several events, in order; see `put`."""
        for event in events:
            await self.put(event)

    async def flush(self, *last: Event) -> None:
        """Queue `last` and wait until everything is on disk.

        Raises:
            LeaseLost: A write was refused: the run is another worker's.
        """
        for event in last:
            await self.put(event)
        self._hurry.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    async def _settled(self) -> None:
        """Forget a write that ended; raise what went wrong with it."""
        if self._task is not None and self._task.done():
            await self._task
            self._task = None

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._drain())
        self._task.add_done_callback(_look_at)

    async def _drain(self) -> None:
        while self._waiting:
            if _nobody_waits_for(self._waiting):
                self._seeks_company = True
                await self._hurried(COMPANY_S)
                self._seeks_company = False
            async with self._turn:
                batch, self._waiting = self._waiting, []
                self._hurry.clear()
                if not batch:  # a checkpoint took it along
                    return
                await self._log.append(self._claim, batch)
            if all(isinstance(event, MessageDelta) for event in batch):
                await self._hurried(DELTA_PAUSE_S)

    async def _hurried(self, pause_s: float) -> None:
        """Wait until something is to be written at once, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._hurry.wait()


def _look_at(task: asyncio.Task[None]) -> None:
    """Look at how a write ended: whoever speaks next is told, and asyncio need not be when nobody does."""
    if not task.cancelled():
        task.exception()


def _nobody_waits_for(events: Iterable[Event]) -> bool:
    return all(isinstance(event, PATIENT) for event in events)


def _merged(waiting: list[Event], event: Event) -> bool:
    """Join a text piece to the waiting one of the same message; say whether that was done."""
    last = waiting[-1] if waiting else None
    if not isinstance(event, MessageDelta) or not isinstance(last, MessageDelta):
        return False
    if last.message_id != event.message_id:
        return False
    waiting[-1] = MessageDelta(message_id=event.message_id, text=last.text + event.text)
    return True
