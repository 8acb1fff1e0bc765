"""The proof of what Motet promises when things break: `make chaos`, or

    python -m tests.chaos [--full] [--seed N] [--only NAME …] [--database sqlite|postgres]

Every experiment breaks something on purpose, again and again, and then a checker compares what the clients, the
model, the outside world and the database wrote down, each for itself. Prints a line for each promise and database,
writes the same into benchmarks/out, and exits with 1 when any promise did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.chaos.report import Row, render
from tests.chaos.rig import ROOT, DatabaseKind, Rig, open_rig

EXPERIMENTS: dict[str, tuple[DatabaseKind, ...]] = {
    "kills": ("sqlite", "postgres"),
    "crash_points": ("sqlite", "postgres"),
    "zombie": ("sqlite", "postgres"),
    "same_key": ("sqlite", "postgres"),
    "disk_full": ("sqlite",),
    "locked": ("sqlite",),
    "drain": ("sqlite", "postgres"),
    "postgres_faults": ("postgres",),
    "clock": ("sqlite", "postgres"),
    "soak": ("sqlite", "postgres"),
    "compare": ("sqlite",),
}
"""Modules of this folder, each with the databases that it is about, in the order in which they run."""


async def run(rig: Rig, names: list[str], databases: list[str]) -> list[Row]:
    """Run experiments one after the other and return their rows."""
    rows: list[Row] = []
    for name in names:
        for kind in EXPERIMENTS[name]:
            if kind not in databases:
                continue
            began = time.monotonic()
            try:
                async for row in import_module(f"tests.chaos.{name}").run(rig, kind):
                    rows.append(row)
                    print(render([row]).splitlines()[-1] if not row.details else render([row]), flush=True)
            except Exception as error:
                rows.append(
                    Row(
                        name,
                        "stopped",
                        kind,
                        "",
                        seconds=time.monotonic() - began,
                        passed=False,
                        details=[f"{type(error).__name__}: {error}"],
                    )
                )
                print(render(rows[-1:]), flush=True)
                if os.environ.get("CHAOS_TRACE"):
                    raise
    return rows


async def main() -> int:
    """Run what was asked for; return the exit status. SIGTERM ends it as Ctrl-C does, with everything it started."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--full", action="store_true", help="the long profile, for a release")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--only", nargs="+", choices=list(EXPERIMENTS), default=list(EXPERIMENTS))
    parser.add_argument(
        "--database", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"]
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the journals and databases, and say where they are"
    )
    asked = parser.parse_args()
    began = time.monotonic()
    profile = "full" if asked.full else "smoke"
    print(f"profile {profile}, seed {asked.seed}, {os.cpu_count()} cores, {platform.platform()}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="motet-chaos-"))
    try:
        async with open_rig(folder, seed=asked.seed, full=asked.full) as rig:
            rows = await run(rig, asked.only, asked.database)
    finally:
        if asked.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    failed = sum(row.passed is False for row in rows)
    table = render(rows)
    ending = f"{len(rows)} lines, {failed} failed, {time.monotonic() - began:.0f} s, seed {asked.seed}"
    print(f"\n{table}\n\n{ending}")
    out = ROOT / "benchmarks" / "out"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"chaos-{profile}.txt").write_text(f"{table}\n\n{ending}\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
