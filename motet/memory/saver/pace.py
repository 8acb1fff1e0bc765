"""Decides where work is done: quick work at once, slow work on a thread, where it holds nobody up.

What does not live here: the work.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from motet.storage.engine import Database

T = TypeVar("T")

QUICK_S = 0.003
"""CPU time that the event loop may be held for. To hand work to a thread and back takes a tenth of that."""

CAREFUL = 50
"""After one slow piece of work so many go to a thread."""


class Pace:
    """One kind of work, as checkpoints that are serialized. As long as it is quick, it is done on the event loop."""

    def __init__(self) -> None:
        self._careful = 0

    async def do(self, work: Callable[[], T]) -> T:
        """Return what the work returns."""
        if self.is_quick():
            return self.timed(work)
        return await asyncio.to_thread(self.timed, work)

    async def look(self, database: Database, work: Callable[[Connection], T]) -> T:
        """Return what a read of the database returns."""
        read = database.peek if self.is_quick() else database.read
        return await read(lambda connection: self.timed(lambda: work(connection)))

    def is_quick(self) -> bool:
        """Say whether the next piece of work may be done on the event loop; asked once for each."""
        if self._careful:
            self._careful -= 1
            return False
        return True

    def timed(self, work: Callable[[], T]) -> T:
        """Do a piece of work, and remember it when it was slow."""
        began = time.thread_time()
        try:
            return work()
        finally:
            if time.thread_time() - began > QUICK_S:
                self._careful = CAREFUL
