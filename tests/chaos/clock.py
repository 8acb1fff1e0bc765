"""R-16: the clock of a worker jumps by hours and days while its runs are at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.chaos.client import Client
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Rig, Stage

JUMPS_S = (86400.0, -86400.0, 3600.0, -3600.0, 2.0, -2.0)
"""A day, the end of summer time and its beginning, and what a time server corrects."""

LATE_S = 1.0
"""So much later than twice the slowest of those with a steady clock is late: leases and pauses take longer."""


def library() -> Path | None:
    """Return the library that shows a process another time, where it is installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Let the clock jump among runs."""
    faketime, began = library(), time.monotonic()
    what = "the worker's clock jumps" if kind == "postgres" else "the machine's clock jumps"
    if faketime is None:
        reason = "libfaketime is not here: install the package faketime"
        yield Row("R-16", what, kind, "0", passed=None, reason=reason)
        return
    # A day ahead, the pieces of whole messages would be folded, as they are a day after a run's end.
    async with rig.stage("clock", kind, model_delay_s=0.4, MOTET_FOLD_EVENTS_DAYS="0") as stage:
        steps = stage.folder / "clock"
        await asyncio.to_thread(steps.write_text, "+0\n")
        program = await stage.start_alone(
            LD_PRELOAD=str(faketime),
            FAKETIME_TIMESTAMP_FILE=str(steps),
            FAKETIME_CACHE_DURATION="1",  # seconds; without a cache every look at the clock opens the file
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            DONT_FAKE_MONOTONIC="1",
        )
        client = Client(stage.client, lambda: program.socket)
        await client.order("m0", "thread-0")
        jumps = [*JUMPS_S] * rig.count(1, 10)
        steady_s: list[float] = []
        jumped_s: list[float] = []
        for number, jump in enumerate(jumps, 1):
            steady_s.append(await _orders(client, f"m{2 * number - 1}"))
            orders = asyncio.create_task(_orders(client, f"m{2 * number}"))
            await asyncio.sleep(stage.random.uniform(0.1, 1.2))
            await asyncio.to_thread(steps.write_text, f"{jump:+.0f}\n")
            jumped_s.append(await orders)
        late = [
            f"after a jump of {jump:+.0f} s the runs took {took_s:.1f} s; with a steady clock {max(steady_s):.1f} s"
            for jump, took_s in zip(jumps, jumped_s, strict=True)
            if took_s > 2 * max(steady_s) + LATE_S
        ]
        found = await stage.check()
        late += await _order(stage)
    details = found.lines() + late
    if found.attempts:
        details.append(f"{found.attempts} runs lost their lease to the clock")
    yield Row(
        "R-16",
        what,
        kind,
        f"{len(jumps)} jumps",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "leases lost": found.attempts,
            "slowest with a steady clock": f"{max(steady_s):.1f} s",
            "with a jump": f"{max(jumped_s):.1f} s",
        },
        seconds=time.monotonic() - began,
        passed=not details,
        details=details,
    )


async def _orders(client: Client, name: str) -> float:
    """Return how long three runs take."""
    began = time.monotonic()
    async with asyncio.timeout(90):
        await asyncio.gather(*(client.order(f"{name}-{i}", f"thread-{i}") for i in range(3)))
    return time.monotonic() - began


async def _order(stage: Stage) -> list[str]:
    """Check that runs are kept in the order in which clients were told of them, whatever the clock said."""
    history = await stage.history()
    kept = {row["run_id"]: place for place, row in enumerate(history.rows.runs)}
    told = [entry for entry in history.client if entry["did"] == "told"]
    names = [entry["marker"].partition("-")[0] for entry in sorted(told, key=lambda e: kept[e["run_id"]])]
    return [] if names == sorted(names, key=lambda n: int(n[1:])) else [f"runs are kept in the order {names}"]
