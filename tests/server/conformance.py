"""Has every real client do what it can against a Motet server, and writes the table in docs/protocols.md.

`make conformance` runs it. A suite is one line in `SUITES`: a name, which clients with which versions, and a function
from a server's address to what was done and what went wrong ("" for nothing). npm's clients are fetched where node
and npm are, else their suite is left out and the table says so.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import agent_clients
import kill_streams
import other_clients
from agent_house import agent_settings
from server_house import open_house, server_settings

from motet.settings import Settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCS = ROOT / "docs" / "protocols.md"
BEGIN, END = "<!-- conformance: written by make conformance -->", "<!-- conformance: end -->"

NPM_OPENAI = "openai@7.55.0"
NPM_SDK = "@langchain/langgraph-sdk@2.0.0"
NPM_OTHERS = ("@langchain/core", "react@19", "react-test-renderer@19")

FUZZ = (
    "--mode=positive", "--phases=fuzzing", "--checks=not_a_server_error", "--max-examples=10", "--seed=1",
    "--max-time=120", "--request-timeout=5", "--generation-database=none", "--no-color",
)  # fmt: skip
"""How requests are made up: a bounded number, and the same ones each time."""

Results = Mapping[str, str]
"""What was done, and what went wrong with it; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What one client does."""

    wire: str
    client: str
    run: Callable[[str], Awaitable[Results | None]]
    """Gives None where the client is not to be had."""
    graphs: str = "agent"
    """Whose graphs the server has: `agent_house`'s or `server_house`'s."""


async def _each(checks: Mapping[str, Any], run: Callable[[Any, str], Awaitable[None]], url: str) -> Results:
    done: dict[str, str] = {}
    for name, check in checks.items():
        try:
            await run(check, url)
        except Exception as error:
            done[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        else:
            done[name] = ""
    return done


async def _node(script: str, packages: Sequence[str], url: str) -> Results | None:
    """Run the script of npm's clients."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(HERE / script, folder)
        fetch = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, *packages]
        fetched = await asyncio.to_thread(subprocess.run, fetch, capture_output=True, check=False)
        if fetched.returncode:
            return None
        command = ["node", str(Path(folder) / script), url]
        told = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=120)
        return dict(json.loads(told.stdout))


async def _schemathesis(url: str) -> Results | None:
    """Have requests made up from the OpenAPI document, always the same ones; none may end in a server error."""
    program = ROOT / "benchmarks" / "out" / "schemathesis" / "bin" / "st"
    if not program.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [str(program), "run", f"{url}/openapi.json", *FUZZ]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, cwd=folder
        )
    text = done.stdout
    found = [re.search(pattern, text) for pattern in (r"Tested: (\d+)", r"Test cases:\s+(\d+) generated")]
    tested, cases = (one[1] if one else "no" for one in found)
    failed = " ".join(dict.fromkeys(re.findall(r"^_+ (\S+ \S+) _+$", text, re.MULTILINE)))
    why = "" if done.returncode == 0 else f"{failed or text[-200:]}".replace("\n", " ")
    return {f"{tested} operations, {cases} requests: no server error": why}


async def _killed(url: str) -> Results:
    """Kill a server of its own, ten times."""
    del url
    counts = await kill_streams.count()
    return {counts.told(): "; ".join(counts.wrong)[:200]}


def _others(checks: Mapping[str, Any]) -> Callable[[str], Awaitable[Results]]:
    return lambda url: _each(checks, other_clients.run, url)


_SDK = f"langgraph_sdk {version('langgraph-sdk')}"

SUITES = (
    Suite(
        "Agent Server",
        f"{_SDK}, asynchronous",
        lambda u: _each(agent_clients.ASYNC, agent_clients.run_async, u),
    ),
    Suite(
        "Agent Server", f"{_SDK}, synchronous", lambda u: _each(agent_clients.SYNC, agent_clients.run_sync, u)
    ),
    Suite(
        "Agent Server",
        f"RemoteGraph, langgraph {version('langgraph')}",
        lambda u: _each(agent_clients.REMOTE, agent_clients.run_remote, u),
    ),
    Suite(
        "Agent Server",
        f"npm {NPM_SDK}",
        lambda u: _node("agent_clients.mjs", (NPM_SDK, *NPM_OTHERS), u),
    ),
    Suite("Motet's own", f"httpx {version('httpx')}", _others(other_clients.NATIVE), graphs="house"),
    Suite("OpenAI", f"openai {version('openai')}", _others(other_clients.OPENAI), graphs="house"),
    Suite(
        "OpenAI",
        f"ChatOpenAI, langchain-openai {version('langchain-openai')}",
        _others(other_clients.LANGCHAIN),
        graphs="house",
    ),
    Suite(
        "OpenAI", f"npm {NPM_OPENAI}", lambda u: _node("openai_clients.mjs", (NPM_OPENAI,), u), graphs="house"
    ),
    Suite("OpenAI", "Open WebUI's requests, by httpx", _others(other_clients.WEBUI), graphs="house"),
    Suite(
        "LangServe",
        f"RemoteRunnable, langserve {version('langserve')}",
        _others(other_clients.LANGSERVE),
        graphs="house",
    ),
    Suite("Agent Server", f"httpx {version('httpx')}, with Last-Event-ID", _killed),
    Suite("every one", "schemathesis 4, seed 1", _schemathesis),
)


def table(found: list[tuple[Suite, Results | None]]) -> str:
    """Return the table in markdown, one row an operation."""
    rows = ["| protocol | client | operation | |", "|---|---|---|---|"]
    for suite, results in found:
        if results is None:
            rows.append(f"| {suite.wire} | {suite.client} | | not run: it is not to be had here |")
            continue
        rows += [
            f"| {suite.wire} | {suite.client} | {name} | {why or 'pass'} |" for name, why in results.items()
        ]
    return "\n".join(rows)


async def main() -> int:
    """Run every suite against a server of its own; return how many operations went wrong."""
    found: list[tuple[Suite, Results | None]] = []
    for suite in SUITES:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp))
        settings = Settings.load({"storage.home": folder / "home"}, cwd=folder)
        made = agent_settings if suite.graphs == "agent" else server_settings
        async with open_house(made(settings, folder)) as house:
            found.append((suite, await suite.run(house.url)))
        await asyncio.to_thread(shutil.rmtree, folder)
    text = await asyncio.to_thread(DOCS.read_text, "utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    await asyncio.to_thread(DOCS.write_text, f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}", "utf-8")
    wrong = sum(bool(why) for _, results in found for why in (results or {}).values())
    done = sum(len(results or {}) for _, results in found)
    sys.stdout.write(f"{done} operations, {wrong} failed: see docs/protocols.md\n")
    return wrong


if __name__ == "__main__":
    sys.exit(min(1, asyncio.run(main())))
