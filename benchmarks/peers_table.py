"""What one turn costs in each framework: a question, one tool call, an answer, over the same model behind a socket.

    make bench-peers [TURNS=40]

Each framework is installed into an environment of its own. One scripted server answers all of them without latency, in
a process of its own whose CPU time is not counted. The turns are those of one conversation, whose history grows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.environments import NotInstalled, environment
from benchmarks.processes import free_port, server
from motet.settings import child_environment

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


def row(name: str, stores: str, versions: str, found: dict[str, list[float]], ours: float) -> str:
    """Return a line of the table."""
    cpu, wall = found["cpu_ms"], found["wall_ms"]
    middle, wall_ms = statistics.median(cpu), statistics.median(wall)
    figures = f"{middle:>8.1f}{min(cpu):>8.1f}{wall_ms:>9.1f}{ours / middle:>8.2f}"
    return f"{name:<33}{figures}  {stores:<10}{versions}"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--only", default="", help="names of peers, separated by commas")
    options = parser.parse_args()
    chosen = {n: peer for n, peer in PEERS.items() if not options.only or n in options.only.split(",")}
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "script.yaml").write_text(SCRIPT, "utf-8")
        command = [
            sys.executable,
            "-m",
            "motet",
            "scripted",
            str(folder / "script.yaml"),
            "--port",
            str(port),
        ]
        base_url = f"http://127.0.0.1:{port}/v1"
        with server(command, port, folder):
            found = measured(Path(sys.executable), "motet_chat", base_url, options.turns)
            ours, others = statistics.median(found["cpu_ms"]), dict[str, float]()
            print(f"{'':<33}{'CPU ms':>8}{'least':>8}{'wall ms':>9}{'Motet/':>8}  {'stores':<10}versions")
            print(row("Motet, graph chat", "all", "", found, ours))
            for peer, (module, stores, packages) in chosen.items():
                try:
                    made = environment(module.removesuffix("_agent"), *packages)
                    found = measured(made.python, module, base_url, options.turns)
                except (NotInstalled, RuntimeError) as error:
                    print(f"{peer:<33}left out: {error}")
                    continue
                if module != "client":
                    others[peer] = statistics.median(found["cpu_ms"])
                print(row(peer, stores, made.told(), found, ours), flush=True)
    if others:
        cheapest = min(others, key=lambda peer: others[peer])
        ratio = ours / others[cheapest]
        print(f"  {'yes' if ratio < 1 else 'NO '} below the cheapest, {cheapest}: {ratio:.2f} times it")


if __name__ == "__main__":
    main()
