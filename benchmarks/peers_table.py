"""What one turn costs in each framework: a question, one tool call, an answer, over the same model behind a socket.

    make bench-peers [TURNS=40] [ROUNDS=3]

Each framework is installed into an environment of its own. One scripted server answers all of them without latency, in
a process of its own whose CPU time is not counted. The turns are those of one conversation, whose history grows. One
framework after the other does its turns, round by round, and the median round counts: the machine's speed of the moment
meets all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.environments import NotInstalled, environment
from benchmarks.processes import free_port, server
from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

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
}
"""Name: its module in `peers`, what it stores of a turn, what is installed."""

FLOOR = "bare OpenAI client"
"""The model calls and nothing else."""

FORGETFUL = ("CrewAI",)
"""Those that have no conversation: each of their turns is the first."""

QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "AGNO_TELEMETRY": "false",
    "LANGSMITH_TRACING": "false",
}
HERE = Path(__file__).parent / "peers"


def measured(python: Path, module: str, base_url: str, turns: int) -> dict[str, list[float]]:
    """Return the CPU and wall milliseconds of each turn.

    Raises:
        RuntimeError: It failed; the message is its last line.
    """
    command = [str(python), str(HERE / "turn.py"), module, base_url, str(turns)]
    environment_ = child_environment(**QUIET, OPENAI_API_KEY="none", OPENAI_BASE_URL=base_url)
    try:
        done = subprocess.run(
            command, env=environment_, capture_output=True, text=True, check=False, timeout=300
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError("not done after 300 s") from None
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1][:160])
    return json.loads(done.stdout.strip().splitlines()[-1])


class Peer:
    """One framework: how its turns are done, and what they took, round by round."""

    def __init__(self, name: str, python: Path, module: str, stores: str, versions: str) -> None:
        self.name, self._python, self._module = name, python, module
        self._stores, self._versions = stores, versions
        self._rounds: list[dict[str, list[float]]] = []

    def measure(self, base_url: str, turns: int) -> None:
        """Do a round; see `measured`."""
        self._rounds.append(measured(self._python, self._module, base_url, turns))

    def middle(self, what: str) -> float:
        """Return the median of the rounds' medians."""
        return statistics.median(statistics.median(found[what]) for found in self._rounds)

    def row(self, ours: float) -> str:
        """Return its line of the table."""
        least = min(min(found["cpu_ms"]) for found in self._rounds)
        cpu = self.middle("cpu_ms")
        figures = f"{cpu:>8.1f}{least:>8.1f}{self.middle('wall_ms'):>9.1f}{ours / cpu:>8.2f}"
        return f"{self.name:<33}{figures}  {self._stores:<10}{self._versions}"


def installed(names: list[str]) -> Iterator[Peer]:
    """Yield the frameworks that are installed, or can be."""
    for name in names:
        module, stores, packages = PEERS[name]
        try:
            made = environment(module.removesuffix("_agent"), *packages)
        except NotInstalled as error:
            print(f"{name:<33}left out: {error}")
        else:
            yield Peer(name, made.python, module, stores, made.told())


def compare(peers: list[Peer], base_url: str, turns: int, rounds: int) -> list[Peer]:
    """Measure one framework after the other, round by round; return those that did all of it."""
    for _ in range(rounds):
        for peer in tuple(peers):
            try:
                peer.measure(base_url, turns)
            except RuntimeError as error:
                print(f"{peer.name:<33}left out: {error}")
                peers.remove(peer)
    return peers


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
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
            compare(peers, f"http://127.0.0.1:{port}/v1", options.turns, options.rounds)
    middle = ours.middle("cpu_ms")
    print(f"{'':<33}{'CPU ms':>8}{'least':>8}{'wall ms':>9}{'Motet/':>8}  {'stores':<10}versions")
    print("\n".join(peer.row(middle) for peer in peers))
    others = [peer for peer in peers if peer.name in PEERS and peer.name != FLOOR]
    for which in (others, [peer for peer in others if peer.name not in FORGETFUL]):
        if which:
            cheapest = min(which, key=lambda peer: peer.middle("cpu_ms"))
            ratio = middle / cheapest.middle("cpu_ms")
            what = "the cheapest" if which is others else "the cheapest that keeps the conversation"
            print(f"  {'yes' if ratio < 1 else 'NO '} below {what}, {cheapest.name}: {ratio:.2f} times it")


if __name__ == "__main__":
    main()
