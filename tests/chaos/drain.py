"""R-17: SIGTERM at random moments: no more is accepted, what is unfinished is given back, the process ends well."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

from tests.chaos.client import Client, Gone, ask
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig

RUNS = 6
"""More than a worker takes at once: some of them wait."""

REFUSED_WITHIN_S = 0.1
ENDED_WITHIN_S = 30.0


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Stop the server among runs, start another, and wait for the runs."""
    trials, began = rig.count(10, 50), time.monotonic()
    refused_s, ended_s, details = list[float](), list[float](), list[str]()
    async with rig.stage("drain", kind, model_delay_s=0.1) as stage:
        program = await stage.start()
        client = Client(stage.client, lambda: program.socket)
        await client.order("m0", "thread-0")
        for number in range(1, trials + 1):
            orders = [asyncio.create_task(client.order(f"m{number}-{i}", f"thread-{i}")) for i in range(RUNS)]
            await asyncio.sleep(stage.random.uniform(0.05, 1.0))
            program.signal(signal.SIGTERM)
            stopped = time.monotonic()
            await _closed(program)
            refused_s.append(time.monotonic() - stopped)
            code = await program.ended
            ended_s.append(time.monotonic() - stopped)
            if code != 0:
                details.append(f"the process ended with {code}")
            program = await stage.start()
            async with asyncio.timeout(60):
                await asyncio.gather(*orders)
        found = await stage.check()
    details += found.lines()
    if max(refused_s) > REFUSED_WITHIN_S:
        details.append(f"callers were taken for {max(refused_s) * 1000:.0f} ms after the signal")
    if max(ended_s) > ENDED_WITHIN_S:
        details.append(f"the process took {max(ended_s):.1f} s to end")
    if found.attempts:
        details.append(f"{found.attempts} orderly stops were counted as crashes")
    yield Row(
        "R-17",
        "SIGTERM at random moments",
        kind,
        f"{trials} stops",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "refuses after at most": f"{max(refused_s) * 1000:.0f} ms",
            "ended after at most": f"{max(ended_s):.1f} s",
            "counted as crashes": found.attempts,
            "asked again under a known key": found.asked_again,
        },
        seconds=time.monotonic() - began,
        passed=not details,
        details=details,
    )


async def _closed(program: Program) -> None:
    """Wait until the program takes no more callers."""
    while not program.ended.done():
        try:
            async with asyncio.timeout(5):
                await ask(program.socket, op="stats")
        except (Gone, TimeoutError):
            return
        await asyncio.sleep(0.005)
