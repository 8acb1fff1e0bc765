"""For comparison: the same graph, kills and effects with plain LangGraph and its `SqliteSaver`, and with Motet."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from tests.chaos.client import Client, Gone, ask
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig, Stage
from tests.chaos.steps import KILL_WITHIN_S, items_of

PLAIN = "tests.chaos.plain"


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Kill a run of its own in every trial; count what was acknowledged and has no answer, and what was done twice."""
    for durability in ("sync", "async"):
        yield await _compare(rig, kind, f"LangGraph + SqliteSaver, {durability}", durability)
    yield await _compare(rig, kind, "Motet, the same graph", "")


async def _compare(rig: Rig, kind: DatabaseKind, what: str, durability: str) -> Row:
    trials, began = rig.count(60, 200), time.monotonic()
    async with rig.stage(f"compare {durability}", kind, effect_delay_s=0.0, MOTET_GRAPH="steps") as stage:
        answered = await (
            _kill_plain(stage, durability, trials) if durability else _kill_motet(stage, trials)
        )
        told = {entry["marker"] for entry in stage.entries() if entry["did"] == "told"}
        times = Counter(entry["item"] for entry in stage.deliveries() if entry["delivered"])
        again = sum(not entry["delivered"] for entry in stage.deliveries())
    lost = [marker for marker in told if marker not in answered]
    untraced = [marker for marker in lost if not any(times[item] for item in items_of(marker))]
    repeated = {item.partition("/")[0] for item, number in times.items() if number > 1}
    details = (
        [] if durability else [*(f"lost: {marker}" for marker in lost), *(f"repeated: {m}" for m in repeated)]
    )
    return Row(
        "-",
        what,
        kind,
        f"{trials} kills",
        lost=len(lost),
        repeated=len(repeated),
        counts={
            "acknowledged": len(told),
            "lost": f"{100 * len(lost) / len(told):.0f} %",
            "lost before any effect": len(untraced),
            "runs with a repeated effect": f"{100 * len(repeated) / len(told):.0f} %",
            "asked again under a known key": again,
        },
        seconds=time.monotonic() - began,
        passed=None if durability else not details,
        details=details,
    )


async def _kill_plain(stage: Stage, durability: str, trials: int) -> set[str]:
    """Return the runs that have an answer in the end."""

    async def start() -> Program:
        return await stage.start(PLAIN, str(stage.folder / "plain.db"), durability)

    program = await start()
    client = Client(stage.client, lambda: program.socket)
    answers = dict[str, str]()
    for number in range(trials + 1):
        await client.submit(f"m{number}", f"m{number}")
        if number:  # the first warms up
            await asyncio.sleep(stage.random.uniform(0, KILL_WITHIN_S))
            await program.kill()
            program = await start()
        answers = await _answers(program)
    return {marker for marker, answer in answers.items() if answer}


async def _kill_motet(stage: Stage, trials: int) -> set[str]:
    """Return the runs that a reader saw completed in the end."""
    program = await stage.start()
    client = Client(stage.client, lambda: program.socket)
    completed = set[str]()
    for number in range(trials + 1):
        run_id = await client.submit(f"m{number}", f"m{number}")
        assert run_id is not None, f"m{number} was refused"
        if number:
            await asyncio.sleep(stage.random.uniform(0, KILL_WITHIN_S))
            await program.kill()
            program = await stage.start()
        if await client.read(run_id) == "run.completed":
            completed.add(f"m{number}")
    return completed


async def _answers(program: Program) -> dict[str, str]:
    """Wait until the server has nothing left to do, and return what it knows."""
    while True:
        try:
            return (await ask(program.socket, op="answers"))["answers"]
        except Gone:
            await asyncio.sleep(0.02)
