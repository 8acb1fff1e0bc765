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
"""The longest that work is put off, however late the loop stays."""


async def until_calm(*, longest_s: float = LONGEST_S) -> None:
    """Return when a turn of the event loop is short; after `longest_s` seconds in any case."""
    loop = asyncio.get_running_loop()
    until = loop.time() + longest_s
    while loop.time() < until:
        began = loop.time()
        await asyncio.sleep(0)
        if loop.time() - began < LATE_S:
            return
        await asyncio.sleep(PAUSE_S)
