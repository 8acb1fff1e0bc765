"""Work that is done to its end, also when whoever waits for it is cancelled: a write that nobody could tell the end of.

What does not live here: the work (`writer`, `worker`).

It begins in the task that asks, as an eager task of Python 3.12 does: what SQLite does at once costs no task and no
round of the event loop. Only work that really waits gets a task, for what is left of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

T = TypeVar("T")


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work and return its value; when this is cancelled, it is done all the same, and then that is raised.

    Until it waits for the first time it belongs to the task that asks: it must not look at which task it is in (as
    `asyncio.timeout` does) before.

    Raises:
        asyncio.CancelledError: Whoever asked was cancelled; the work has ended.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        return done.value
    left = asyncio.ensure_future(_Left(work, awaited))
    try:
        return await asyncio.shield(left)
    finally:
        while not left.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([left])
        if not left.cancelled():
            left.exception()  # asyncio need not tell of it where nobody is left to hear it


class _Left(Generic[T]):
    """What is left of work that waits for something."""

    def __init__(self, work: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._work, self._awaited = work, awaited

    def __await__(self) -> Generator[Any, Any, T]:
        awaited = self._awaited
        try:
            while True:
                try:
                    told = yield awaited
                except BaseException as error:  # noqa: BLE001  # the work's own to catch
                    awaited = self._work.throw(error)
                else:
                    awaited = self._work.send(told)
        except StopIteration as done:
            return done.value
