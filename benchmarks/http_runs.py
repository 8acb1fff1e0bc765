"""Runs a second, first bytes and CPU time a run: Motet's server, LangServe's own and `langgraph dev`, side by side.

    make bench-http [SECONDS=6] [WIRE=1]

Each server is a process of its own over a model without latency: a chat graph with one tool call. The model is in that
process, or with WIRE=1 behind OpenAI's wire, as models are: one scripted server for all. Motet's keeps the
state, the transcript and every event on disk; LangServe's keeps nothing, or the state alone with LangGraph's saver for
SQLite; `langgraph dev` keeps the state in memory. The graph alone, without a server, shows what is left to win.
The clients are threads of this process and take CPU time of the same machine. Everything is measured in rounds, one
server after the other in each, and the median round counts: what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environments import NotInstalled, environment
from benchmarks.processes import free_port, server, tree_cpu_s
from motet.settings import child_environment

SCRIPT = """\
rules:
  - after: calculator
    reply: "It is 42."
default:
  tool: calculator
  arguments: {figures: [{what: six, value: "6"}, {what: seven, value: "7"}], expression: "6 * 7"}
"""
QUESTION = [{"type": "human", "content": "How much is 6 * 7?"}]
OF_CHAT = [{"type": "human", "content": "Take the calculator: how much is 6 * 7?"}]
LANGSERVE = (
    "langserve[server]==0.3.3",
    "starlette<1",
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langchain-openai",
    "sse-starlette<3",
)
LANGGRAPH = ("langgraph-cli[inmem]", "langgraph", "langchain-openai")
WIRE_SCRIPT = """\
rules:
  - {after: multiply, reply: "It is 42."}
  - {after: calculator, reply: "It is 42."}
  - user: calculator
    reply:
      tool: calculator
      arguments: {figures: [{what: six, value: "6"}, {what: seven, value: "7"}], expression: "6 * 7"}
default: {tool: multiply, arguments: {a: 6, b: 7}}
"""
HERE = Path(__file__).parent
CLIENTS = (1, 16)


@dataclass(slots=True)
class Side:
    """A server, how it is asked, and what was measured."""

    name: str
    port: int
    invoke: str
    stream: str
    body: dict[str, Any]
    stream_body: dict[str, Any]
    pid: int = 0
    rounds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def note(self, what: str, value: float) -> None:
        """Keep a round's value."""
        self.rounds.setdefault(what, []).append(value)

    def median(self, what: str) -> float:
        """Return the median round's value; NaN where nothing was measured."""
        return statistics.median(self.rounds[what]) if what in self.rounds else float("nan")


def ask(connection: http.client.HTTPConnection, side: Side) -> None:
    """Run the graph once to its end."""
    connection.request("POST", side.invoke, json.dumps(side.body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200 or "It is 42." not in text:
        raise RuntimeError(f"{side.name} answered {answer.status}: {text[:300]}")


def first_byte_s(connection: http.client.HTTPConnection, side: Side) -> float:
    """Begin a stream; return the seconds until the first byte of its body, and read it to its end."""
    began = time.perf_counter()
    connection.request(
        "POST", side.stream, json.dumps(side.stream_body), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    answer.read(1)
    took_s = time.perf_counter() - began
    answer.read()
    return took_s


def many(side: Side, clients: int, seconds: float) -> int:
    """Have so many clients ask over and over for so long; return how many runs ended."""
    until, counts, errors = time.perf_counter() + seconds, [0] * clients, list[Exception]()

    def one(index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)
        try:
            while time.perf_counter() < until:
                ask(connection, side)
                counts[index] += 1
        except Exception as error:  # noqa: BLE001  # told below
            errors.append(error)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(counts)


def measure(side: Side, seconds: float) -> None:
    """Measure one round of one server."""
    for clients in CLIENTS:
        before, began = tree_cpu_s(side.pid), time.perf_counter()
        runs = many(side, clients, seconds)
        side.note(f"runs/s at {clients}", runs / (time.perf_counter() - began))
        side.note(f"CPU ms a run at {clients}", (tree_cpu_s(side.pid) - before) / max(runs, 1) * 1e3)
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)
    side.note("first byte ms", statistics.median(first_byte_s(connection, side) for _ in range(8)) * 1e3)


def motet(stack: ExitStack, folder: Path, model_url: str) -> Side:
    """Start Motet's server over its own graph `chat`, whose model streams its words in small pieces."""
    body = {"input": {"messages": OF_CHAT}}
    side = Side(
        "Motet, its chat", free_port(), "/langserve/chat/invoke", "/langserve/chat/stream", body, body
    )
    return _motet(stack, folder, side, "none.toml", model_url)


def _motet(stack: ExitStack, folder: Path, side: Side, config: str, model_url: str) -> Side:
    (folder / "script.yaml").write_text(SCRIPT, "utf-8")
    command = [sys.executable, "-m", "motet", "serve", "--port", str(side.port)]
    variables = {
        "MOTET_HOME": str(folder / "home"),
        "MOTET_MODEL": f"bench:scripted@{model_url}" if model_url else f"scripted:{folder / 'script.yaml'}",
        "MOTET_MODEL_EMBED": "none",
        "MOTET_CONCURRENCY": "16",
        "MOTET_CONFIG": str(folder / config),
        "PYTHONPATH": str(HERE / "servers"),
        "BENCH_MODEL_URL": model_url,
    }
    side.pid = stack.enter_context(server(command, side.port, folder, **variables))
    return side


def motet_own(stack: ExitStack, folder: Path, model_url: str) -> Side:
    """Start Motet's server over the very graph that the others serve."""
    (folder / "motet.toml").write_text('[graphs]\nbench = "graph:build"\n', "utf-8")
    body = {"input": {"messages": QUESTION}}
    side = Side(
        "Motet, same graph", free_port(), "/langserve/bench/invoke", "/langserve/bench/stream", body, body
    )
    return _motet(stack, folder, side, "motet.toml", model_url)


def langserve(stack: ExitStack, folder: Path, model_url: str) -> Side:
    """Start LangServe's own server."""
    return _langserve(stack, folder, model_url, "LangServe")


def langserve_on_sqlite(stack: ExitStack, folder: Path, model_url: str) -> Side:
    """Start LangServe's own server over the graph with LangGraph's saver for SQLite."""
    return _langserve(stack, folder, model_url, "LangServe, SQLite", str(folder / "state.db"))


def _langserve(stack: ExitStack, folder: Path, model_url: str, name: str, *file: str) -> Side:
    python = environment("langserve", *LANGSERVE).python
    body = {"input": {"messages": QUESTION}}
    side = Side(name, free_port(), "/langserve/chat/invoke", "/langserve/chat/stream", body, body)
    command = [str(python), str(HERE / "servers" / "langserve_server.py"), str(side.port), *file]
    side.pid = stack.enter_context(server(command, side.port, folder, BENCH_MODEL_URL=model_url))
    return side


def alone(seconds: float, model_url: str) -> dict[str, float]:
    """Call the graph without a server for so long; return its runs per second and its CPU time a run."""
    command = [sys.executable, str(HERE / "servers" / "alone.py"), str(seconds)]
    variables = child_environment(BENCH_MODEL_URL=model_url)
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=variables
    )  # our own script
    return json.loads(done.stdout)


def langgraph_dev(stack: ExitStack, folder: Path, model_url: str) -> Side:
    """Start `langgraph dev` with 16 jobs."""
    python = environment("langgraph-dev", *LANGGRAPH).python
    project = folder / "project"
    project.mkdir()
    (project / "graph.py").write_text((HERE / "servers" / "graph.py").read_text("utf-8"), "utf-8")
    (project / "langgraph.json").write_text(
        json.dumps({"dependencies": ["."], "graphs": {"chat": "./graph.py:graph"}}), "utf-8"
    )
    body = {"assistant_id": "chat", "input": {"messages": QUESTION}}
    side = Side(
        "langgraph dev", free_port(), "/runs/wait", "/runs/stream", body, body | {"stream_mode": "values"}
    )
    command = [
        str(python.with_name("langgraph")),
        "dev",
        "--no-browser",
        "--no-reload",
        "--n-jobs-per-worker",
        "16",
    ]
    command += ["--port", str(side.port), "--host", "127.0.0.1", "--config", "langgraph.json"]
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", "BENCH_MODEL_URL": model_url}
    side.pid = stack.enter_context(server(command, side.port, project, **quiet))
    return side


def wire_model(stack: ExitStack) -> str:
    """Start the model that all servers call, and return its URL."""
    folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
    script = folder / "script.yaml"
    script.write_text(WIRE_SCRIPT, "utf-8")
    command = [sys.executable, "-m", "motet", "scripted", str(script), "--port", str(port)]
    stack.enter_context(server(command, port, folder))
    return f"http://127.0.0.1:{port}/v1"


def warm(side: Side) -> None:
    """Ask until the server answers: what listens may not be ready yet."""
    until = time.monotonic() + 60
    while True:
        try:
            many(side, 2, 1.0)
        except (RuntimeError, OSError, http.client.HTTPException):
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def verdicts(sides: dict[str, Side]) -> list[str]:
    """Return a line for each bar that can be judged."""
    ours, lines = sides["Motet, same graph"], list[str]()

    def judge(holds: bool, text: str) -> None:
        lines.append(f"  {'yes' if holds else 'NO '} {text}")

    for name, times in (("LangServe", 2), ("LangServe, SQLite", 2), ("langgraph dev", 10)):
        for clients in CLIENTS if name in sides else ():
            ratio = ours.median(f"runs/s at {clients}") / sides[name].median(f"runs/s at {clients}")
            judge(ratio >= times, f"{times} times the runs/s of {name} at {clients} clients: {ratio:.2f}")
    for name in ("LangServe", "LangServe, SQLite"):
        for clients in CLIENTS if name in sides else ():
            what = f"CPU ms a run at {clients}"
            ratio = ours.median(what) / sides[name].median(what)
            judge(ratio < 1, f"less CPU a run than {name} at {clients} clients: {ratio:.2f} times it")
    judge(ours.median("first byte ms") < 25, f"first byte below 25 ms: {ours.median('first byte ms'):.1f}")
    return lines


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wire", action="store_true", help="the model is behind OpenAI's wire")
    options = parser.parse_args()
    sides: dict[str, Side] = {}
    with ExitStack() as stack:
        model_url = wire_model(stack) if options.wire else ""
        for start in (motet_own, motet, langserve, langserve_on_sqlite, langgraph_dev):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                side = start(stack, folder, model_url)
                warm(side)
                sides[side.name] = side
            except (NotInstalled, RuntimeError) as error:
                print(f"{start.__name__}: left out: {error}")
        floor: list[dict[str, float]] = []
        for _ in range(options.rounds):
            floor.append(alone(options.seconds, model_url))
            for side in sides.values():
                measure(side, options.seconds)
    columns = [f"{what} at {n}" for n in CLIENTS for what in ("runs/s", "CPU ms a run")] + ["first byte ms"]
    print(f"{'':<19}" + "".join(f"{column:>20}" for column in columns))
    for side in sides.values():
        print(f"{side.name:<19}" + "".join(f"{side.median(column):>20.1f}" for column in columns))
    bare = {what: statistics.median(row[what] for row in floor) for what in floor[0]}
    print(
        f"{'the graph alone':<19}{bare['runs/s']:>20.1f}{bare['CPU ms a run']:>20.1f}   (no server, nothing kept)"
    )
    print("\n".join(verdicts(sides)))


if __name__ == "__main__":
    main()
