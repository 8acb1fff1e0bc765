"""R-18: two workers on one database; one is stopped in mid-run, loses its runs, and wakes up again."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

from sqlalchemy import make_url

from tests.chaos.client import Client
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig, Stage

RUNS = 4


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Stop one worker longer than its lease; nothing that it does after waking may count."""
    began = time.monotonic()
    lease_s, trials = (15.0, 4) if rig.full else (6.0, 3)
    stopped_s = 60.0 if rig.full else 14.0
    env: dict[str, Any] = {"MOTET_LEASE_S": str(lease_s), "MOTET_HEARTBEAT_S": str(lease_s / 5)}
    async with rig.stage("zombie", kind, model_delay_s=0.15, **env) as stage:
        took_s, changed, taken = list[float](), list[str](), 0
        for number in range(trials):
            ended_s, more, claimed = await _trial(stage, number, stopped_s)
            took_s.append(ended_s)
            changed += more
            taken += claimed
        found = await stage.check()
        refused = stage.log_text().count("was taken over by another worker")
    details = found.lines() + changed
    slow = [f"{s:.1f} s until all runs had ended" for s in took_s if s > lease_s + 6]
    yield Row(
        "R-18",
        f"a worker stopped for {stopped_s:.0f} s (lease {lease_s:.0f} s), then woken",
        kind,
        f"{trials} stops",
        lost=len(found.lost),
        repeated=len(found.repeated) + len(changed),
        counts={
            "runs taken over": taken,
            "zombies refused": refused,
            "asked again under a known key": found.asked_again,
            "slowest end after the stop": f"{max(took_s):.1f} s",
        },
        seconds=time.monotonic() - began,
        passed=not details and not slow and taken > 0,
        details=details + slow + ([] if taken else ["no run was taken over: the experiment showed nothing"]),
    )


async def _trial(stage: Stage, number: int, stopped_s: float) -> tuple[float, list[str], int]:
    """Return how long the runs took to end, what a zombie changed, and how many runs were taken over."""
    first, second = await stage.start(), await stage.start()
    to_first = Client(stage.client, lambda: first.socket)
    to_second = Client(stage.client, lambda: second.socket)
    run_ids = [await to_first.submit(f"m{number}-{i}", f"thread-{number}-{i}") for i in range(RUNS)]
    await asyncio.sleep(stage.random.uniform(0.05, 0.6))
    await _stop(stage, first)
    stopped = time.monotonic()
    async with asyncio.timeout(stopped_s + 60):
        await asyncio.gather(*(to_second.read(run_id) for run_id in run_ids if run_id))
    ended_s = time.monotonic() - stopped
    before = await stage.history()
    await asyncio.sleep(max(0.0, stopped_s - ended_s))
    first.signal(signal.SIGCONT)
    await asyncio.sleep(2.0)
    after = await stage.history()
    changed = [] if before.rows == after.rows else ["the woken worker changed what was kept"]
    taken = sum(row["attempt"] > 1 for row in after.rows.runs) - sum(
        row["attempt"] > 1 for row in before.rows.runs[:-RUNS]
    )
    await asyncio.gather(first.kill(), second.kill())
    return ended_s, changed, taken


async def _stop(stage: Stage, program: Program) -> None:
    """Stop a program where it does not hold SQLite's write lock: that would stop everybody, as any program can."""
    while True:
        program.signal(signal.SIGSTOP)
        if stage.kind == "postgres" or not await asyncio.to_thread(_locked, stage.url):
            return
        program.signal(signal.SIGCONT)
        await asyncio.sleep(0.01)


def _locked(url: str) -> bool:
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None, timeout=1)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False
