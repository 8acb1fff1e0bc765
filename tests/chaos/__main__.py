"""The proof of what Motet promises when things break: `make chaos`, or

    python -m tests.chaos [--full] [--seed N] [--only NAME …] [--database sqlite|postgres]

An experiment that is not done by its deadline has failed, and so has one whose server ends by itself: nothing here
waits for ever. The smoke profile as a whole ends below 15 minutes, whatever happens.

SQLite's experiments and PostgreSQL's run side by side, each in a process of its own: they mostly wait.

Every experiment breaks something on purpose, again and again, and then a checker compares what the clients, the
model, the outside world and the database wrote down, each for itself. Prints a line for each promise and database,
writes the same into benchmarks/out, and exits with 1 when any promise did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.chaos.report import Row, render
from tests.chaos.rig import ROOT, DatabaseKind, Rig, open_rig

BOTH: tuple[DatabaseKind, ...] = ("sqlite", "postgres")


class Experiment(NamedTuple):
    """A module of this folder."""

    databases: tuple[DatabaseKind, ...]
    smoke_s: float
    """It is done by then, in the short profile, with other work on the machine."""


EXPERIMENTS: dict[str, Experiment] = {
    "kills": Experiment(BOTH, 240),
    "crash_points": Experiment(BOTH, 240),
    "zombie": Experiment(BOTH, 120),
    "same_key": Experiment(BOTH, 90),
    "disk_full": Experiment(("sqlite",), 120),
    "locked": Experiment(("sqlite",), 150),
    "drain": Experiment(BOTH, 120),
    "postgres_faults": Experiment(("postgres",), 150),
    "clock": Experiment(BOTH, 120),
    "soak": Experiment(BOTH, 150),
    "compare": Experiment(("sqlite",), 180),
}
"""In the order in which they run."""

SMOKE_S = 880.0
"""The whole short profile: below 15 minutes, its cleaning up included."""

FULL_FACTOR = 30.0
"""The long profile's deadlines are so much later."""


async def run(rig: Rig, names: list[str], databases: list[str]) -> list[Row]:
    """Run experiments one after the other and return their rows."""
    rows: list[Row] = []
    over = time.monotonic() + SMOKE_S * (FULL_FACTOR if rig.full else 1)
    for name in names:
        experiment = EXPERIMENTS[name]
        for kind in experiment.databases:
            if kind in databases:
                allowed_s = experiment.smoke_s * (FULL_FACTOR if rig.full else 1)
                rows += await run_one(rig, name, kind, min(allowed_s, over - time.monotonic()))
    return rows


async def run_one(rig: Rig, name: str, kind: DatabaseKind, allowed_s: float) -> list[Row]:
    """Run one experiment for so many seconds at most; return its rows, one that says why it did not end included."""
    began, before, rows = time.monotonic(), asyncio.all_tasks(), list[Row]()
    try:
        async with asyncio.timeout(allowed_s):
            async for row in import_module(f"tests.chaos.{name}").run(rig, kind):
                rows.append(row)
                print(render([row]) if row.details else render([row]).splitlines()[-1], flush=True)
    except Exception as error:
        late = isinstance(error, TimeoutError) and time.monotonic() - began >= allowed_s
        why = f"not done after {allowed_s:.0f} s" if late else f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - began
        rows.append(Row(name, "stopped", kind, "", seconds=seconds, passed=False, details=[why]))
        print(render(rows[-1:]), flush=True)
        if os.environ.get("CHAOS_TRACE"):
            raise
    finally:
        left = asyncio.all_tasks() - before  # its callers would go on asking
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    return rows


async def side_by_side(databases: list[str], options: list[str]) -> list[Row]:
    """Run each database's experiments in a process of its own; return all rows, an experiment's beside each other."""
    with tempfile.TemporaryDirectory(prefix="motet-chaos-rows-") as folder:
        files = [Path(folder, f"{database}.json") for database in databases]
        programs = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.chaos", *options, "--database", database, "--rows", str(file))
            )
            for database, file in zip(databases, files, strict=True)
        ]
        try:
            for program in programs:
                await program.wait()
        finally:
            for program in programs:
                if program.returncode is None:
                    program.terminate()
                    await program.wait()
        found = [
            json.loads(file.read_text("utf-8"))
            if file.exists()
            else [vars(Row("-", "its process ended by itself", database, "", passed=False))]
            for database, file in zip(databases, files, strict=True)
        ]
    rows = [Row(**fields) for rows in found for fields in rows]
    places = {name: place for place, name in enumerate(dict.fromkeys(row.promise for row in rows))}
    return sorted(rows, key=lambda row: places[row.promise])


async def here(asked: argparse.Namespace) -> list[Row]:
    """Run what was asked for in this process."""
    folder = Path(tempfile.mkdtemp(prefix="motet-chaos-"))
    try:
        async with open_rig(folder, seed=asked.seed, full=asked.full, scale=asked.scale) as rig:
            return await run(rig, asked.only, asked.database)
    finally:
        if asked.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


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
        "--scale", type=float, default=1.0, help="so many of the trials, to try the rig itself: 0.1"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the journals and databases, and say where they are"
    )
    parser.add_argument("--rows", type=Path, help="write the rows there, as JSON, and no table")
    asked = parser.parse_args()
    began = time.monotonic()
    if asked.rows:
        rows = await here(asked)
        asked.rows.write_text(json.dumps([asdict(row) for row in rows], default=str), "utf-8")
        return 0
    profile = "full" if asked.full else "smoke"
    print(f"profile {profile}, seed {asked.seed}, {os.cpu_count()} cores, {platform.platform()}", flush=True)
    if len(asked.database) > 1:
        flags = [f"--{name}" for name in ("full", "keep") if getattr(asked, name)]
        shared = ["--seed", str(asked.seed), "--scale", str(asked.scale), "--only", *asked.only]
        rows = await side_by_side(asked.database, [*flags, *shared])
    else:
        rows = await here(asked)
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
