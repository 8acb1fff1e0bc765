"""R-11: the disk fills up at random moments, stays full for a while, and has room again."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.client import Client
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Rig

SIZE_MB = 8
WITHIN_S = 30.0
"""After there is room again, every acknowledged run has ended by then."""


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Fill the disk among runs, and free it."""
    what, began = f"a disk of {SIZE_MB} MB full for 0.05 to 3 s", time.monotonic()
    trials = rig.count(8, 60)
    with small_disk() as disk:
        if disk is None:
            reason = "a small disk cannot be mounted here: it needs root"
            yield Row("R-11", what, kind, "0", passed=None, reason=reason)
            return
        async with rig.stage(
            "disk full", kind, url=f"sqlite:///{disk / 'motet.db'}", MOTET_LEASE_S="6"
        ) as stage:
            program = await stage.start()
            client = Client(stage.client, lambda: program.socket)
            await client.order("m0", "thread-0")
            late, took_s = list[str](), list[float]()
            for number in range(1, trials + 1):
                orders = [
                    asyncio.create_task(client.order(f"m{number}-{i}", f"thread-{i}")) for i in range(3)
                ]
                await asyncio.sleep(stage.random.uniform(0, 0.6))
                with filled(disk):
                    orders.append(asyncio.create_task(client.order(f"m{number}-3", "thread-3")))
                    await asyncio.sleep(stage.random.choice((0.05, 0.3, 1.0, 3.0)))
                freed = time.monotonic()
                async with asyncio.timeout(4 * WITHIN_S):
                    await asyncio.gather(*orders)
                took_s.append(time.monotonic() - freed)
            late = [f"{s:.1f} s after there was room again" for s in took_s if s > WITHIN_S]
            found = await stage.check()
            codes = [entry["code"] for entry in stage.entries() if entry["did"] == "refused"]
            await program.kill()
    details = found.lines() + late
    yield Row(
        "R-11",
        what,
        kind,
        f"{trials} times",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "refused while full": codes.count("database_full"),
            "refused otherwise": len(codes) - codes.count("database_full"),
            "slowest end after room": f"{max(took_s):.1f} s",
        },
        seconds=time.monotonic() - began,
        passed=not details and "database_full" in codes,
        details=details + ([] if "database_full" in codes else ["no caller met the full disk"]),
    )


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Mount a disk in memory; None where that is not allowed."""
    with tempfile.TemporaryDirectory(prefix="motet-disk-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "motet-chaos", name]
        try:
            mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except OSError:
            mounted = False
        try:
            yield Path(name) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "-l", name], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no byte free inside."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (2**16, 2**12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    try:
        yield
    finally:
        filler.unlink()
