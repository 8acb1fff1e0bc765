"""What one turn costs in each framework: a question, one tool call, an answer, over the same model behind a socket.

    make bench-peers [TURNS=40]

Each framework is installed into an environment of its own. One scripted server answers all of them without latency, in
a process of its own whose CPU time is not counted. The turns are those of one conversation, whose history grows. All
frameworks are started, and then they take turns, one turn each: what the machine does at the moment meets all, and
Motet is compared with each turn by turn.
"""

from __future__ import annotations

import argparse
import json
import select
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environments import NotInstalled, environment
from benchmarks.processes import free_port, server
from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = """\
rules:
  - {after: calculator, reply: "It is 42."}
  - {after: multiply, reply: "It is 42."}
  - user: calculator
    reply:
      tool: calculator
      arguments: {figures: [{what: six, value: "6"}, {what: seven, value: "7"}], expression: "6 * 7"}
default: {tool: multiply, arguments: {a: 6, b: 7}}
"""
PEERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "bare OpenAI client": ("client", "nothing", ("openai",)),
    "create_agent + AsyncSqliteSaver": (
        "langchain_agent",
        "state",
        ("langchain", "langchain-openai", "langgraph-checkpoint-sqlite"),
    ),
    "openai-agents + SQLiteSession": ("openai_agents", "messages", ("openai-agents",)),
    "pydantic-ai": ("pydantic_agent", "nothing", ("pydantic-ai-slim[openai]",)),
    "agno + SqliteDb": ("agno_agent", "messages", ("agno", "openai", "sqlalchemy[asyncio]")),
    "AutoGen": ("autogen_agent", "nothing", ("autogen-agentchat", "autogen-ext[openai]")),
    "agent-framework": (
        "agent_framework_agent",
        "nothing",
        ("agent-framework-core", "agent-framework-openai"),
    ),
    "LlamaIndex": ("llama_index_agent", "nothing", ("llama-index-core", "llama-index-llms-openai-like")),
    "CrewAI": ("crewai_agent", "nothing", ("crewai",)),
    "CrewAI, persisted Flow": ("crewai_flow_agent", "state", ("crewai",)),
}
"""Name: its module in `peers`, what it stores of a turn, what is installed."""

FLOOR = "bare OpenAI client"
"""The model calls and nothing else."""

QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "AGNO_TELEMETRY": "false",
    "LANGSMITH_TRACING": "false",
}
HERE = Path(__file__).parent / "peers"
WARM_UP = 5
LONGEST_S = 120
"""The longest that a framework may take to start, or for a turn."""


class Peer:
    """One framework: its process, how its turns are done, and what they took."""

    def __init__(self, name: str, python: Path, module: str, stores: str, versions: str) -> None:
        self.name, self._python, self._module = name, python, module
        self.stores, self._versions = stores, versions
        self._process: subprocess.Popen[str] | None = None
        self.cpu_ms, self._wall_ms = list[float](), list[float]()

    def start(self, base_url: str) -> None:
        """Start its process and wait until it is ready for turns.

        Raises:
            RuntimeError: It failed; the message is what it said.
        """
        self._process = subprocess.Popen(
            [str(self._python), str(HERE / "turn.py"), self._module, base_url],
            env=child_environment(**QUIET, OPENAI_API_KEY="none", OPENAI_BASE_URL=base_url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._told()

    def turn(self, *, counts: bool) -> None:
        """Do a turn. See `start`."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        took = self._told()
        if counts:
            self.cpu_ms.append(took["cpu_ms"])
            self._wall_ms.append(took["wall_ms"])

    def stop(self) -> None:
        """End its process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def row(self, ours: Peer) -> str:
        """Return its line of the table."""
        half = len(self.cpu_ms) // 2
        first, last = statistics.median(self.cpu_ms[:half]), statistics.median(self.cpu_ms[half:])
        figures = f"{statistics.median(self.cpu_ms):>8.1f}{first:>8.1f}{last:>8.1f}"
        wall = f"{statistics.median(self._wall_ms):>9.1f}{ours.times(self):>8.2f}"
        return f"{self.name:<33}{figures}{wall}  {self.stores:<10}{self._versions}"

    def times(self, other: Peer) -> float:
        """Return how many times the other's CPU a turn of this takes: the median over the turns."""
        return statistics.median(mine / its for mine, its in zip(self.cpu_ms, other.cpu_ms, strict=True))

    def _told(self) -> dict[str, float]:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], LONGEST_S)
        line = self._process.stdout.readline() if ready else ""
        told: dict[str, Any] = json.loads(line) if line else {"error": "no word, or its end"}
        if "error" in told:
            raise RuntimeError(told["error"])
        return told


def installed(names: list[str]) -> Iterator[Peer]:
    """Yield the frameworks that are installed, or can be."""
    for name in names:
        module, stores, packages = PEERS[name]
        try:
            made = environment(module.removesuffix("_agent").removesuffix("_flow"), *packages)
        except NotInstalled as error:
            print(f"{name:<33}left out: {error}")
        else:
            yield Peer(name, made.python, module, stores, made.told())


def compare(peers: list[Peer], base_url: str, turns: int) -> list[Peer]:
    """Have all do one turn after the other, in an order that moves on; return those that did all of it."""

    def did(peer: Peer, what: Callable[[], None]) -> bool:
        try:
            what()
        except RuntimeError as error:
            print(f"{peer.name:<33}left out: {error}")
            peer.stop()
            return False
        return True

    left = [peer for peer in peers if did(peer, partial(peer.start, base_url))]
    for number in range(WARM_UP + turns):
        at = number % max(len(left), 1)
        step = partial(Peer.turn, counts=number >= WARM_UP)
        gone = [peer for peer in (*left[at:], *left[:at]) if not did(peer, partial(step, peer))]
        left = [peer for peer in left if peer not in gone]
    for peer in left:
        peer.stop()
    return left


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--only", default="", help="names of peers, separated by commas")
    options = parser.parse_args()
    ours = Peer("Motet, graph chat", Path(sys.executable), "motet_chat", "all", "")
    chosen = [name for name in PEERS if not options.only or name in options.only.split(",")]
    peers = [ours, *installed(chosen)]
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "script.yaml").write_text(SCRIPT, "utf-8")
        script = str(folder / "script.yaml")
        command = [sys.executable, "-m", "motet", "scripted", script, "--port", str(port)]
        with server(command, port, folder):
            peers = compare(peers, f"http://127.0.0.1:{port}/v1", options.turns)
    if ours not in peers:
        return
    print(
        f"{'':<33}{'CPU ms':>8}{'1st 1/2':>8}{'2nd 1/2':>8}{'wall ms':>9}{'Motet/':>8}  {'stores':<10}versions"
    )
    print("\n".join(peer.row(ours) for peer in peers))
    others = [peer for peer in peers if peer.name in PEERS and peer.name != FLOOR]
    keep = [peer for peer in others if peer.stores != "nothing"]
    for which, what in ((others, "the cheapest"), (keep, "the cheapest that keeps what was said")):
        if which:
            cheapest = max(which, key=ours.times)
            ratio = ours.times(cheapest)
            print(f"  {'yes' if ratio < 1 else 'NO '} below {what}, {cheapest.name}: {ratio:.2f} times it")


if __name__ == "__main__":
    main()
