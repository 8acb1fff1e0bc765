"""R-17: SIGTERM at random moments: no more is accepted, what is at work may end, the rest is given back.

Runs may go on for a part of the time that they take: some end, some are given back. Every third stop gets a second
signal, which leaves at once; what it leaves is a crash's.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.chaos.checker import Findings
from tests.chaos.client import Client, Gone, ask
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig, Stage
from tests.chaos.server import LEFT

RUNS = 6
"""More than a worker takes at once: some of them wait."""

GRACE = 0.7
"""How long runs at work may go on: this part of what six of them take undisturbed."""

REFUSED_WITHIN_S = 0.1
"""Of the middle one of all stops: on a busy machine a single one can be late."""

ENDED_WITHIN_S = 3.0
"""After that."""
LEFT_WITHIN_S = 1.0
"""After the second signal."""


@dataclass
class _Seen:
    grace_s: float = 0.0
    refused_s: list[float] = field(default_factory=list[float])
    ended_s: list[float] = field(default_factory=list[float])
    left_s: list[float] = field(default_factory=list[float])
    ended_well: int = 0
    """Runs that ended between a signal and the end of their process."""
    crashes: int = 0
    details: list[str] = field(default_factory=list[str])


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Stop the server among runs, start another, and wait for the runs."""
    trials, began = max(3, rig.count(9, 60)), time.monotonic()
    seen = _Seen()
    async with rig.stage("drain", kind, model_delay_s=0.25) as stage:
        program = await stage.start()
        client = Client(stage.client, lambda: program.socket)
        await client.order("m0", "thread-0")
        undisturbed = time.monotonic()
        await asyncio.gather(*(client.order(f"m0-{i}", f"thread-{i}") for i in range(RUNS)))
        length_s = time.monotonic() - undisturbed
        seen.grace_s = GRACE * length_s
        stage.env["MOTET_DRAIN_S"] = f"{seen.grace_s:.2f}"
        await program.kill()
        program = await stage.start()
        crashes = 0
        for number in range(1, trials + 1):
            orders = [asyncio.create_task(client.order(f"m{number}-{i}", f"thread-{i}")) for i in range(RUNS)]
            await asyncio.sleep(stage.random.uniform(0.1, 1.0) * length_s)
            twice = number % 3 == 0
            await _stop(stage, program, seen, twice=twice)
            before = await _attempts(stage)
            program = await stage.start()
            async with asyncio.timeout(60):
                await asyncio.gather(*orders)
            more = await _attempts(stage) - before
            crashes += more if twice else 0
            if more and not twice:
                seen.details.append(f"{more} runs of an orderly stop were counted as crashes")
        found = await stage.check()
    seen.crashes = crashes
    yield _row(kind, f"{trials} stops", time.monotonic() - began, seen, found)


async def _stop(stage: Stage, program: Program, seen: _Seen, *, twice: bool) -> None:
    """Stop a program by one signal or two, and see what it does until it is gone."""
    program.signal(signal.SIGTERM)
    stopped, at = time.monotonic(), time.time()
    await _closed(program)
    seen.refused_s.append(time.monotonic() - stopped)
    hurried, left = twice and not program.ended.done(), time.monotonic()
    if hurried:
        program.signal(signal.SIGTERM)
    code = await program.ended
    if hurried:
        seen.left_s.append(time.monotonic() - left)
    seen.ended_s.append(time.monotonic() - stopped)
    if code not in ((0, LEFT) if hurried else (0,)):
        seen.details.append(f"the process ended with {code}")
    ends = [entry for entry in stage.entries() if entry["did"] == "read" and entry["type"] == "run.completed"]
    seen.ended_well += sum(entry["at"] > at for entry in ends)


async def _closed(program: Program) -> None:
    """Wait until the program takes no more callers."""
    while not program.ended.done():
        try:
            async with asyncio.timeout(5):
                await ask(program.socket, op="stats")
        except (Gone, TimeoutError):
            return
        await asyncio.sleep(0.005)


async def _attempts(stage: Stage) -> int:
    """Return how many attempts beyond the first there were."""
    history = await stage.history()
    return sum(max(0, row["attempt"] - 1) for row in history.rows.runs)


def _row(kind: DatabaseKind, trials: str, seconds: float, seen: _Seen, found: Findings) -> Row:
    middle_s = statistics.median(seen.refused_s)
    details = [*found.lines(), *seen.details]
    if middle_s > REFUSED_WITHIN_S:
        details.append(f"callers were taken for {middle_s * 1000:.0f} ms after the signal")
    if max(seen.ended_s) > seen.grace_s + ENDED_WITHIN_S:
        details.append(f"the process took {max(seen.ended_s):.1f} s to end; runs had {seen.grace_s:.1f} s")
    if max(seen.left_s, default=0.0) > LEFT_WITHIN_S:
        details.append(f"the process took {max(seen.left_s):.1f} s to leave after the second signal")
    if not seen.ended_well:
        details.append("no run ended between a signal and the end of its process: nothing was drained")
    return Row(
        "R-17",
        f"SIGTERM at random moments, runs have {seen.grace_s:.1f} s",
        kind,
        trials,
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "refuses after": f"{middle_s * 1000:.0f} ms (the slowest {max(seen.refused_s) * 1000:.0f} ms)",
            "ended after at most": f"{max(seen.ended_s):.1f} s",
            "runs that ended meanwhile": seen.ended_well,
            "second signals": len(seen.left_s),
            "left after them within": f"{max(seen.left_s, default=0.0):.2f} s",
            "attempts after those": seen.crashes,
            "asked again under a known key": found.asked_again,
        },
        seconds=seconds,
        passed=not details,
        details=details,
    )
