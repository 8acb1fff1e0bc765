"""Waiting until the event loop keeps up: who asks for a run is answered before more runs are begun.

What does not live here: how many runs are worked on at once (`worker`).
"""

from __future__ import annotations

import asyncio

LATE_S = 0.02
"""A turn of the loop that takes longer has many others waiting in it."""

PAUSE_S = 0.01
"""How long a late loop is left alone before it is looked at again."""

LONGEST_S = 2.0
"""The longest that work is put off while a loop stays late, all of the work together."""


class Calm:
    """Puts work off while the event loop is late: a burst passes, and a loop that stays late does not hold it up."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._late_since: float | None = None

    async def wait(self) -> None:
        """Return when a turn of the event loop is short, or when turns have been long for `longest_s` seconds."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0)
            now = loop.time()
            if now - began < LATE_S:
                self._late_since = None
                return
            if self._late_since is None:
                self._late_since = began
            if now - self._late_since > self._longest_s:
                return
            await asyncio.sleep(PAUSE_S)
