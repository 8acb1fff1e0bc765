"""R-12: another program holds SQLite's write lock; another program reads for long while much is written."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from tests.chaos.client import Client
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Rig, Stage

LOCK_S = 32.0
"""Longer than Motet waits for a lock by default, which is 30 s."""

WAL_LIMIT = 64 * 2**20


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Hold the lock, then hold a reader."""
    yield await _locked(rig, kind)
    yield await _long_reader(rig, kind)


async def _locked(rig: Rig, kind: DatabaseKind) -> Row:
    began = time.monotonic()
    trials = rig.count(1, 5)
    async with rig.stage("locked", kind, model_delay_s=0.2) as stage:
        program = await stage.start()
        client = Client(stage.client, lambda: program.socket)
        slowest = 0.0
        for number in range(trials):
            orders = [asyncio.create_task(client.order(f"m{number}-{i}", f"thread-{i}")) for i in range(4)]
            await asyncio.sleep(stage.random.uniform(0.1, 0.6))
            with closing(sqlite3.connect(_file(stage), isolation_level=None, timeout=10)) as holder:
                holder.execute("BEGIN IMMEDIATE")
                orders += [
                    asyncio.create_task(client.order(f"m{number}-{i}", f"thread-{i}")) for i in range(4, 6)
                ]
                await asyncio.sleep(LOCK_S)
                holder.execute("ROLLBACK")
            released = time.monotonic()
            async with asyncio.timeout(120):
                await asyncio.gather(*orders)
            slowest = max(slowest, time.monotonic() - released)
        found = await stage.check()
        refused = sum(entry["did"] == "refused" for entry in stage.entries())
    return Row(
        "R-12",
        f"write lock held for {LOCK_S:.0f} s",
        kind,
        f"{trials} lock" + "s" * (trials > 1),
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "asked to try again": refused,
            "all ended after its release within": f"{slowest:.1f} s",
        },
        seconds=time.monotonic() - began,
        passed=found.clean,
        details=found.lines(),
    )


async def _long_reader(rig: Rig, kind: DatabaseKind) -> Row:
    began = time.monotonic()
    runs = rig.count(60, 600)
    async with rig.stage("long reader", kind, model_delay_s=0.0) as stage:
        program = await stage.start()
        client = Client(stage.client, lambda: program.socket)
        await client.order("m0", "thread-0")
        wal = Path(f"{_file(stage)}-wal")
        largest = 0
        with closing(sqlite3.connect(_file(stage), isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM runs").fetchone()
            for number in range(1, runs, 4):
                await asyncio.gather(*(client.order(f"m{number + i}", f"thread-{i}") for i in range(4)))
                largest = max(largest, os.stat(wal).st_size)  # noqa: PTH116
            reader.execute("ROLLBACK")
        await asyncio.gather(*(client.order(f"m-last-{i}", f"thread-{i}") for i in range(4)))
        found = await stage.check()
    details = found.lines()
    if largest > WAL_LIMIT:
        details.append(f"the write-ahead log grew to {largest / 2**20:.1f} MiB")
    return Row(
        "R-12",
        "a reader that stays while much is written",
        kind,
        f"{found.acknowledged} runs",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "largest write-ahead log": f"{largest / 2**20:.1f} MiB",
            "a run adds": f"{largest / 1024 / max(found.acknowledged, 1):.0f} KiB",
        },
        seconds=time.monotonic() - began,
        passed=not details,
        details=details,
    )


def _file(stage: Stage) -> str:
    return str(make_url(stage.url).database)
