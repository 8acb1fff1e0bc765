"""What task files cost on top of the model: 200 scripted steps in a row, and the rows of a map.

The longest map is killed half-way, and another process goes on with it.

Run it with `make bench-tasks`. It needs no network and no model: a scripted one answers at once, so that what is
measured is Motet's own work: the graph, its checkpoints on SQLite, the event log, the gate and the queue.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from motet import RunRequest, Settings, build_app
from motet.runs.request import RunOptions
from motet.tasks.check import Known
from motet.tasks.load import load_task

ROW_TASK = """schema: motet.task/v1
name: row
inputs: {text: {type: string}}
agents: {w: {system: Repeat.}}
steps: [{id: a, agent: w, prompt: "${{ inputs.text }}"}]
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--parallel", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_steps(Path(folder), asked.steps))
        for count in asked.rows:
            _rows(Path(folder), count, asked.parallel, kill=count == max(asked.rows))


async def _steps(folder: Path, count: int) -> None:
    """Time one run of a chain of steps, twice: the first one imports and compiles."""
    lines = ["schema: motet.task/v1", "name: chain", "agents: {w: {system: Repeat.}}", "steps:"]
    for number in range(count):
        before = f"${{{{ steps.s{number - 1}.text }}}}" if number else "begin"
        lines.append(f'  - {{id: s{number}, agent: w, prompt: "{before}"}}')
    path = folder / "chain.task.yaml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "script.json").write_text(json.dumps({"default": "again"}), "utf-8")
    overrides: dict[str, Any] = {
        "storage.home": folder / "home",
        "models.default": f"scripted:{folder / 'script.json'}",
        "models.embed": "none",
    }
    async with build_app(Settings.load(overrides, cwd=folder)) as app:
        digest = await app.tasks.lock(load_task(path, Known()))
        await app.start_worker()
        for which in ("first", "second"):
            request = RunRequest(graph="task", input={"inputs": {}}, options=RunOptions(task=digest))
            began, cpu, model_s = time.perf_counter(), time.process_time(), 0.0
            async for recorded in app.stream(request):
                if recorded.event.type == "usage":
                    model_s += recorded.event.duration_s
                last = recorded.event.type
            took = time.perf_counter() - began
            own, cpu_ms = (took - model_s) / count * 1000, (time.process_time() - cpu) / count * 1000
            print(
                f"{count} steps, {which} run: {took:.2f} s, {model_s:.2f} s of it the model; "
                f"{own:.1f} ms a step, {cpu_ms:.1f} ms of CPU ({last})"
            )


def _rows(folder: Path, count: int, parallel: int, *, kill: bool) -> None:
    """Time a map in a process of its own, and read how much memory it took at most.

    With `kill` it gets SIGKILL when half of the rows are written; another process goes on.
    """
    (folder / "row.task.yaml").write_text(ROW_TASK, "utf-8")
    rows, out = folder / f"rows{count}.jsonl", folder / f"out{count}.jsonl"
    rows.write_text("".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(count)), "utf-8")
    home = folder / f"home{count}"
    words = ["run", str(folder / "row.task.yaml"), "--map", str(rows), "--out", str(out)]
    began = time.perf_counter()
    first = _start(folder, home, *words, "--max-parallel", str(parallel))
    while kill and first.poll() is None and _lines(out) < count // 2:
        time.sleep(0.2)
    if kill:
        first.kill()
    memory = [_memory_mb(first)]
    before = _lines(out)
    if kill:
        memory.append(_memory_mb(_start(folder, home, *words, "--max-parallel", str(parallel), "--resume")))
    took = time.perf_counter() - began
    found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    told = f", killed after {before:,} and gone on with" if kill else ""
    print(
        f"{count:,} rows{told}: {count / took:.1f} a second; at most {' and '.join(map(str, memory))} MB of memory; "
        f"in order: {[line['row'] for line in found] == list(range(count))}; "
        f"failed: {sum(line['status'] != 'success' for line in found)}; runs: {_runs(home):,}"
    )


def _start(folder: Path, home: Path, *words: str) -> subprocess.Popen[bytes]:
    from motet.settings import child_environment  # noqa: PLC0415  # beside its only use

    environment = child_environment(
        MOTET_HOME=str(home),
        MOTET_MODEL=f"scripted:{folder / 'script.json'}",
        MOTET_MODEL_EMBED="none",
        MOTET_CONFIG=str(folder / "none.toml"),
    )
    return subprocess.Popen(
        [sys.executable, "-m", "motet", *words], env=environment, cwd=folder, stderr=subprocess.DEVNULL
    )


def _memory_mb(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; return the most memory that it had."""
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_maxrss // 1024


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _runs(home: Path) -> int:
    connection = sqlite3.connect(home / "motet.db")
    try:
        return connection.execute("select count(*) from runs").fetchone()[0]
    finally:
        connection.close()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
