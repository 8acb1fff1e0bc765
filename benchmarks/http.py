"""How many runs a second a server gives, how soon a stream's first byte comes, and what a run costs in CPU time.

    python -m benchmarks.http [--seconds 8] [--clients 1,16]

A server process of its own, on SQLite, over a scripted model without latency: the graph `chat` with one tool call, its
state, transcript and events on disk. The clients are threads of this process and take CPU time of the same machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Work = Callable[[http.client.HTTPConnection], float]

SCRIPT = """\
rules:
  - after: calculator
    reply: "It is 42."
default:
  tool: calculator
  arguments: {figures: [{what: six, value: "6"}, {what: seven, value: "7"}], expression: "6 * 7"}
"""
BODY = json.dumps({"input": {"messages": [{"role": "user", "content": "How much is 6 * 7?"}]}})


@contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a server in a folder; yield its process and its port."""
    (folder / "script.yaml").write_text(SCRIPT, "utf-8")
    settings = {
        "MOTET_HOME": str(folder / "home"),
        "MOTET_MODEL": f"scripted:{folder / 'script.yaml'}",
        "MOTET_MODEL_EMBED": "none",
        "MOTET_CONCURRENCY": "16",
    }
    command = [sys.executable, "-m", "motet", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=_environment(settings)) as process:
        try:
            line = process.stderr.readline() if process.stderr else ""
            found = re.search(r":(\d+) ", line)
            if found is None:
                raise RuntimeError(f"the server did not start: {line}")
            yield process, int(found[1])
        finally:
            process.terminate()


def _environment(settings: dict[str, str]) -> dict[str, str]:
    return dict(os.environ) | settings  # noqa: TID251  # a child process gets what this one has


def invoke(connection: http.client.HTTPConnection) -> float:
    """Run the graph once to its end; return the seconds it took."""
    began = time.perf_counter()
    connection.request("POST", "/langserve/chat/invoke", BODY, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    if answer["output"]["messages"][-1]["content"] != "It is 42.":
        raise RuntimeError(f"a wrong answer: {answer}")
    return time.perf_counter() - began


def first_byte(connection: http.client.HTTPConnection) -> float:
    """Begin a stream; return the seconds until its first byte, and read it to its end."""
    began = time.perf_counter()
    connection.request("POST", "/langserve/chat/stream", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read(1)
    took_s = time.perf_counter() - began
    answer.read()
    return took_s


def measure(
    port: int, work: Callable[[http.client.HTTPConnection], float], clients: int, seconds: float
) -> list[float]:
    """Have so many clients do something over and over for so long; return how long each time took."""
    until, taken = time.perf_counter() + seconds, list[float]()

    def one() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() < until:
            taken.append(work(connection))

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def cpu_s(process: subprocess.Popen[str]) -> float:
    """Return the CPU seconds that a process took so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", default="1,16")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (process, port):
        measure(port, invoke, 1, 2.0)
        print("| clients | runs/s | median ms | p99 ms | CPU ms a run |\n|---|---|---|---|---|")
        for clients in map(int, options.clients.split(",")):
            before, began = cpu_s(process), time.perf_counter()
            taken = measure(port, invoke, clients, options.seconds)
            wall_s, spent_s = time.perf_counter() - began, cpu_s(process) - before
            p99 = statistics.quantiles(taken, n=100)[98] if len(taken) > 1 else taken[0]
            row = [len(taken) / wall_s, statistics.median(taken) * 1e3, p99 * 1e3, spent_s / len(taken) * 1e3]
            print(f"| {clients} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
        first = measure(port, first_byte, 1, options.seconds / 2)
        print(f"\nFirst byte of a stream, one client: median {statistics.median(first) * 1e3:.1f} ms.")


if __name__ == "__main__":
    main()
