"""How long after the model's own first token a viewer of a run sees it.

    make bench-first-token [TURNS=60]

A model server in a process of its own writes the time at which it begins into its answer, and streams that in pieces,
5 ms apart. Two arms ask it in turn, each with one call before that is not counted: OpenAI's client alone, which is what
the wire takes, and Motet's `chat` graph with its tools, from the gate to the event that a viewer reads, each event on
disk. The clock is the machine's, the same in both processes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import openai

from motet import RunRequest, Settings, build_app
from motet.models.script import Reply
from motet.models.scripted_server import ScriptedServer

QUESTION = "What is this about?"
PIECE_S = 0.005


def answer(call: Any) -> Reply:
    """Return an answer that begins with the time."""
    del call
    return Reply(text=f"{time.monotonic_ns():<24}" + "and so on " * 12, piece_delay_s=PIECE_S)


async def serve() -> None:
    """Serve until the parent closes standard input; the first line out is the URL."""
    async with ScriptedServer(answer, piece_chars=24) as server:
        print(server.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def bare(client: openai.AsyncOpenAI) -> float:
    """Return the milliseconds from the model's first token to OpenAI's client."""
    stream = await client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    seen, text = 0, ""
    async for chunk in stream:
        piece = (chunk.choices[0].delta.content or "") if chunk.choices else ""
        seen = seen or (time.monotonic_ns() if piece else 0)
        text += piece
    return (seen - int(text.split()[0])) / 1e6


async def motet(app: Any) -> float:
    """Return the milliseconds from the model's first token to the viewer of a run."""
    seen, text = 0, ""
    async for recorded in app.stream(RunRequest(graph="chat", input={"messages": QUESTION})):
        if recorded.event.type == "message.delta":
            seen = seen or time.monotonic_ns()
            text += recorded.event.text
    return (seen - int(text.split()[0])) / 1e6


async def measure(url: str, turns: int) -> dict[str, list[float]]:
    """Return the milliseconds of each turn, by arm."""
    found: dict[str, list[float]] = {"OpenAI's client": [], "Motet": []}
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.load(environ={"MOTET_HOME": home, "MOTET_MODEL": f"bench:scripted@{url}"})
        async with build_app(settings) as app, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
            for turn in range(turns + 1):
                took = (await bare(client), await motet(app))
                for arm, value in zip(found.values(), took, strict=True):
                    arm.extend([value] if turn else [])
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    command = [sys.executable, "-m", "benchmarks.first_token", "--serve"]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        found = asyncio.run(measure(server.stdout.readline().strip(), options.turns))
        server.stdin.close()
    print(f"{'after the first token, ms':28}{'median':>9}{'p90':>9}{'worst':>9}")
    for arm, values in found.items():
        p90 = statistics.quantiles(values, n=10, method="inclusive")[-1]
        print(f"{arm:28}{statistics.median(values):>9.2f}{p90:>9.2f}{max(values):>9.2f}")
    more = statistics.median(found["Motet"]) - statistics.median(found["OpenAI's client"])
    print(
        f"Motet's first token comes {more:.2f} ms after the wire's, in the median of {options.turns} turns."
    )


if __name__ == "__main__":
    main()
