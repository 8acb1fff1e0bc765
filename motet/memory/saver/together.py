"""Has what a task wrote share its step's checkpoint's transaction: one commit where there were two.

What does not live here: what is written (`memory.saver.saving`).

LangGraph stores what a task wrote when the task ends, and a checkpoint when its step does. Most steps are one task, and
then the second comes a moment after the first. Nobody waits for the first: what it is good for, that a task which
ended is not done again when another one of its step fails, the checkpoint says too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Sequence

    from sqlalchemy.engine import Connection

    from motet.storage.along import Carry
    from motet.storage.engine import Database

    Work = Callable[[Connection], Any]

WAIT_S = 0.1
"""What a task wrote waits this long for its checkpoint; then it is stored by itself."""


class Together:
    """Writes that wait for a checkpoint of the same place."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[Hashable, list[_Waiting]] = {}
        self._alone: set[asyncio.Task[None]] = set()

    async def soon(self, place: Hashable, work: Work) -> None:
        """Have `work` done with the next `now` of a place, or after `WAIT_S` alone; return when it is on disk."""
        loop = asyncio.get_running_loop()
        one = _Waiting(work, loop.create_future())
        self._waiting.setdefault(place, []).append(one)
        timer = loop.call_later(WAIT_S, self._wait_no_longer, place, one)
        try:
            await one.done
        finally:
            timer.cancel()

    async def now(self, place: Hashable, work: Work, carry: Carry | None = None) -> Any:
        """Do `work` in one transaction with what waits, and what is carried; return its value after the commit."""
        if carry is None:
            return await self._now(place, work)
        return await carry(lambda more: self._now(place, partial(_both, work, more) if more else work))

    async def _now(self, place: Hashable, work: Work) -> Any:
        waiting = self._waiting.pop(place, [])
        if not waiting:
            return await self._database.jot(work)
        return await _told(
            waiting, self._database.jot(lambda c: [one.work(c) for one in waiting] and work(c))
        )

    def _wait_no_longer(self, place: Hashable, one: _Waiting) -> None:
        waiting = self._waiting.get(place, [])
        if one in waiting:
            waiting.remove(one)
            if not waiting:
                del self._waiting[place]
            task = asyncio.ensure_future(_told([one], self._database.jot(one.work)))
            self._alone.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._alone.discard(task)
        if not task.cancelled():
            task.exception()  # the one who waits has it


@dataclass(slots=True, eq=False)
class _Waiting:
    work: Work
    done: asyncio.Future[None]


def _both(work: Work, more: Work, connection: Connection) -> Any:
    value = work(connection)
    more(connection)
    return value


async def _told(waiting: Sequence[_Waiting], written: Awaitable[Any]) -> Any:
    """Wait for a write, tell those whose work was in it, and return its value."""
    try:
        value = await written
    except BaseException as error:
        for one in waiting:
            if not one.done.done():
                one.done.set_exception(error) if isinstance(error, Exception) else one.done.cancel()
        raise
    for one in waiting:
        if not one.done.done():
            one.done.set_result(None)
    return value
