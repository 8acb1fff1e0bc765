"""Crash points: places where a test kills the process as a power cut would.

What does not live here: the places themselves. They are around every commit of the database's writer, every append
to an event log, every tool call that the ledger keeps, and every run that a worker takes up.

How to use it: set `MOTET_CRASH_AT=n` and run; at the n-th point that this process meets it exits with status 137,
nothing is flushed and nothing is cleaned up, and stderr has one line that names the point. Then start it again
without the variable and see what is left. Begin with n = 1 and go on until a process ends without status 137: then
every point was tried. The points of one database are counted together, whichever thread meets them.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

STATUS = 137
"""Exit status of a process that met its point: what a shell reports of one that was killed by SIGKILL."""


class CrashPoints:
    """Counts the points that are met, and ends the process at the `at`-th; 0 never does."""

    def __init__(self, at: int = 0) -> None:
        self._at = at
        self._met = 0
        self._lock = threading.Lock()

    def meet(self, place: str) -> None:
        """Say that the process is at a point; `place` is for the line on stderr."""
        if not self._at:
            return
        with self._lock:
            self._met += 1
            if self._met == self._at:
                os.write(2, f"crash point {self._met}: {place}\n".encode())
                os._exit(STATUS)

    @contextmanager
    def around(self, place: str) -> Generator[None]:
        """Have a point before what is done inside, and one after it where it went well."""
        self.meet(f"before {place}")
        yield
        self.meet(f"after {place}")
