"""Kills a server with -9 again and again while clients read streams over HTTP, and counts what they saw.

`python -m tests.server.kill_streams [KILLS]` (with `PYTHONPATH=.:tests:tests/server`); `make conformance` runs it too.
A client asks for a run under an idempotency key, reads its stream, and comes back with the id of the last event it saw
until the stream ends by itself. Then the run's whole stream is read once more: what was seen has to be the same. Of the
graph's twenty steps each must be told once and in order: what a step did is stored with its checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from agent_graphs import STEPS
from agent_script import read
from test_server_protocols_agent_server_crash import kill, serve

CLIENTS = 8
SETTINGS = """\
[runs]
max_attempts = 100  # on a slow machine one run is killed more often than the usual three times, and would be given up

[graphs]
steps = "agent_graphs:build_steps"
"""


@dataclass(slots=True)
class Counts:
    """What all clients saw."""

    kills: int = 0
    runs: int = 0
    events: int = 0
    returns: int = 0
    """How often a client came back to a stream that had broken off."""
    wrong: list[str] = field(default_factory=list[str])

    def told(self) -> str:
        """Return the counts in words."""
        return (
            f"{self.kills} kills with -9, {self.runs} runs, {self.returns} returns: {self.events} events, "
            f"each once and in order, all {self.runs * STEPS} steps told"
        )


async def follow(client: httpx.AsyncClient, counts: Counts) -> None:
    """Begin a run and read it to its end, whatever happens to the server."""
    seen, where, is_away, key = list[str](), "", False, str(uuid.uuid4())
    body = {"assistant_id": "steps", "input": {"notes": []}, "stream_mode": ["updates"]}
    while True:
        begun = {"method": "POST", "url": "/runs/stream", "json": body, "headers": {"idempotency-key": key}}
        again = {"method": "GET", "url": where, "headers": {"last-event-id": seen[-1] if seen else "-1"}}
        try:
            async with client.stream(**(again if where else begun)) as stream:  # pyright: ignore[reportArgumentType]
                stream.raise_for_status()
                where, is_away = stream.headers["location"], False
                async for line in stream.aiter_lines():
                    if line.startswith("id: "):
                        seen.append(line[4:])
                break
        except httpx.TransportError:
            counts.returns += bool(where) and not is_away
            is_away = True
            await asyncio.sleep(0.1)
    await compare(client, where, seen, counts)


async def compare(client: httpx.AsyncClient, where: str, seen: list[str], counts: Counts) -> None:
    """Compare what was seen with the whole stream, and the whole stream with what the run had to do."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            whole = read(await client.get(where, headers={"last-event-id": "-1"}))["body"]
            joined = read(await client.get(where.replace("/stream", "/join")))
            break
        await asyncio.sleep(0.1)
    steps = [one["data"]["step"]["notes"][0] for one in whole if one["event"] == "updates"]
    if [one["id"] for one in whole] != seen:
        counts.wrong.append(f"{where}: saw {seen}, of {[one['id'] for one in whole]}")
    numbers = [int(step.removeprefix("step ")) for step in steps]
    if numbers != list(range(STEPS)) or (joined["body"] or {}).get("total") != STEPS:
        counts.wrong.append(f"{where}: {steps}, and in the end {joined['status']} {joined['body']}")
    counts.runs += 1
    counts.events += len(seen)


async def count(kills: int = 10, seed: int = 1) -> Counts:
    """Kill a server so often, at random moments, and return what its clients saw."""
    counts, chance, done = Counts(), random.Random(seed), asyncio.Event()
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp))
    (folder / "script.json").write_text('{"rules": [], "default": "x"}', "utf-8")
    (folder / "motet.toml").write_text(SETTINGS, "utf-8")
    process, port = await serve(folder, 0)

    async def one(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            await follow(client, counts)

    try:
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(CLIENTS):
                group.create_task(one(client))
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.3, 2.5))
                await kill(process)
                counts.kills += 1
                process, port = await serve(folder, port)
            done.set()
    finally:
        await kill(process)
    return counts


async def main(kills: int) -> int:
    """Print the counts; return how many runs were not as they had to be."""
    counts = await count(kills)
    sys.stdout.write("\n".join([counts.told(), *counts.wrong]) + "\n")
    return len(counts.wrong)


if __name__ == "__main__":
    sys.exit(min(1, asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))))
