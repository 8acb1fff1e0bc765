"""R-03: every crash point, one after the other: the process ends there, another goes on, and the records agree."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

from motet.storage.crash import STATUS
from tests.chaos.client import Client
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Rig, Stage

MOST = 2000
"""No program has so many points; a loop that gets there has not found its end."""

WITHIN_S = 60.0


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """End the n-th process at its n-th point, until one lives through its whole life, its orderly end included."""
    began = time.monotonic()
    async with rig.stage("crash points", kind, model_delay_s=0.0) as stage:
        points, details = 0, list[str]()
        while not details:
            crashed, details = await _trial(stage, points + 1)
            if not crashed or points == MOST:
                break
            points += 1
        found = await stage.check()
    yield Row(
        "R-03",
        "every crash point in turn",
        kind,
        f"{points} points",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "asked again under a known key": found.asked_again,
            "gaps": len(found.gaps),
            "strange": len(found.strange),
        },
        seconds=time.monotonic() - began,
        passed=not details and 0 < points < MOST,
        details=details,
    )


async def _trial(stage: Stage, number: int) -> tuple[bool, list[str]]:
    """Let a process end at its n-th point and another finish; return whether it came to that point, and findings."""
    program = await stage.start(MOTET_CRASH_AT=str(number))
    client = Client(stage.client, lambda: program.socket)
    order = asyncio.create_task(_order(client, number))
    await asyncio.wait([order, program.ended], return_when=asyncio.FIRST_COMPLETED)
    if not program.ended.done():
        program.signal(signal.SIGTERM)
    async with asyncio.timeout(WITHIN_S):
        crashed = await program.ended == STATUS
        if not order.done():
            program = await stage.start()
        await order
    if crashed and program.ended.done():
        program = await stage.start()
    await program.kill()
    found = (await stage.check()).lines()
    if not crashed and await stage.started[-1].ended not in (0, -signal.SIGKILL):
        found.append(f"the process ended with {program.ended.result()}")
    return crashed, [f"point {number} ({_name(stage)}): {line}" for line in found]


async def _order(client: Client, number: int) -> None:
    run_id = await client.submit(f"m{number}", f"thread-{number % 3}")
    assert run_id is not None, "the order was refused"
    await client.read(run_id)


def _name(stage: Stage) -> str:
    """Return the name of the point that was met last."""
    met = [line for line in stage.log_text().splitlines() if line.startswith("crash point")]
    return met[-1] if met else "none was met"
