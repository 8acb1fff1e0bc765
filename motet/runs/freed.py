"""Gives memory that is free back to the system: what a busy moment needed is not held for ever.

What does not live here: what is kept in memory, and its bounds.
"""

from __future__ import annotations

import asyncio
import ctypes
import time

PAUSE_S = 60.0
"""Between two times. One takes some 10 ms, on a thread of its own."""


class Freed:
    """Gives back, now and then. glibc keeps what programs freed, in pieces between what is still in use."""

    def __init__(self, *, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._last = time.monotonic()

    async def give_back(self) -> bool:
        """Give back what is free, unless it is too soon; say whether anything was given."""
        if time.monotonic() - self._last < self._pause_s:
            return False
        self._last = time.monotonic()
        return await asyncio.to_thread(trim)


def trim() -> bool:
    """Give free memory back at once; say whether there was any. Does nothing where the C library is not glibc."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl and macOS have none; Windows has no such handle
        return False
    return bool(malloc_trim(0))
