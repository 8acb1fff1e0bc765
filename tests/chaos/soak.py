"""R-20: runs for a long while, with faults among them; nothing piles up.

What a process keeps of conversations in memory is bounded, and by default so large that a process grows for hours
until it has all of it: 19 KiB a run. Here the bound is small, so that it is reached in the warm-up and what grows
after that is a leak.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from tests.chaos.client import Client, ask
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig, Stage

CALLERS = 3
PAUSE_S = 5.0
"""Between two looks at the process."""

SLOPE_MIB = 1.0
"""Most that the memory may grow in ten minutes, of 30."""

SMOKE_MIB = 3.0
"""Most that it may grow over the last half of the short profile, whose slope says little."""

CACHE_ITEMS = 200
"""Messages that the process may keep in memory: five conversations."""

RUNS_A_THREAD = 8


@dataclass(frozen=True)
class Sample:
    """What the process holds at a moment."""

    at_s: float
    rss_mib: float
    files: int
    tasks: int
    threads: int


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Keep three callers busy, two of whom are careless, and look at the process from time to time."""
    length_s, began = rig.count(90, 1800), time.monotonic()
    async with rig.stage("soak", kind, model_delay_s=0.0, MOTET_CACHE_ITEMS=str(CACHE_ITEMS)) as stage:
        program = await stage.start()
        client = Client(stage.client, lambda: program.socket)
        await client.order("m-first", "thread-0")
        until = time.monotonic() + length_s
        callers = [asyncio.create_task(_call(stage, client, program, i, until)) for i in range(CALLERS)]
        blips = asyncio.create_task(_blips(stage, until))
        samples: list[Sample] = []
        while time.monotonic() < until:
            samples.append(await _look(program, time.monotonic() - began))
            await asyncio.sleep(PAUSE_S)
        await asyncio.gather(*callers, blips)
        await asyncio.sleep(1.0)
        rest = await _look(program, time.monotonic() - began)
        children = _children(program.pid)
        found = await stage.check_as(frozenset({"success", "cancelled"}))
    steady = samples[len(samples) // 2 :]
    slope = 600 * _slope([(s.at_s, s.rss_mib) for s in steady])
    grown = slope * (steady[-1].at_s - steady[0].at_s) / 600
    details = found.lines()
    if (slope > SLOPE_MIB) if rig.full else (grown > SMOKE_MIB):
        details.append(f"memory grew by {grown:.1f} MiB, {slope:.1f} MiB in ten minutes")
    for name in ("files", "tasks", "threads"):
        first, last = getattr(samples[1], name), getattr(rest, name)
        if last > first + 2:
            details.append(f"{name} grew from {first} to {last}")
    if children:
        details.append(f"processes were left behind: {children}")
    yield Row(
        "R-20",
        f"{length_s / 60:.0f} minutes of runs, cancels, hang-ups and faults",
        kind,
        f"{sum(found.statuses.values())} runs",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "memory": f"{steady[0].rss_mib:.0f} to {steady[-1].rss_mib:.0f} MiB",
            "slope": f"{slope:+.1f} MiB in ten minutes",
            "files": f"{samples[1].files} to {rest.files}",
            "tasks": f"{samples[1].tasks} to {rest.tasks}",
            "cancelled": found.statuses["cancelled"],
            "child processes": len(children),
        },
        seconds=time.monotonic() - began,
        passed=not details,
        details=details,
    )


async def _call(stage: Stage, client: Client, program: Program, caller: int, until: float) -> None:
    """Order until the time is over: some orders are stopped, some readers hang up."""
    number = 0
    while time.monotonic() < until:
        number += 1
        fate = stage.random.random()
        run_id = await client.submit(f"m{caller}-{number}", f"thread-{caller}-{number // RUNS_A_THREAD}")
        if run_id is None:
            continue
        if fate < 0.1:
            await asyncio.sleep(stage.random.uniform(0, 0.2))
            await ask(program.socket, op="cancel", run_id=run_id)
        await client.read(run_id, cut=lambda fate=fate: fate > 0.7 and stage.random.random() < 0.2)


async def _blips(stage: Stage, until: float) -> None:
    """Make small trouble now and then: SQLite's file is locked, PostgreSQL's connections are ended."""
    while time.monotonic() < until - 15:
        await asyncio.sleep(stage.random.uniform(5, 10))
        if stage.kind == "sqlite":
            file = str(make_url(stage.url).database)
            with (
                closing(sqlite3.connect(file, isolation_level=None)) as holder,
                contextlib.suppress(sqlite3.OperationalError),
            ):
                holder.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(0.5)
                holder.execute("ROLLBACK")
        else:
            await asyncio.to_thread(_end_connections, stage.url)


def _end_connections(url: str) -> None:
    import psycopg

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def _look(program: Program, at_s: float) -> Sample:
    stats = await ask(program.socket, op="stats")
    status = await asyncio.to_thread(Path(f"/proc/{program.pid}/status").read_text)
    rss_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    files = len(await asyncio.to_thread(os.listdir, f"/proc/{program.pid}/fd"))
    return Sample(at_s, rss_kib / 1024, files, stats["tasks"], stats["threads"])


def _children(pid: int) -> list[str]:
    found = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [child for children in found for child in children]


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the line nearest to the points."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
