"""For comparison: the same agent, kills and effects with plain LangGraph and its `SqliteSaver`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from tests.chaos.client import Client, Gone, ask
from tests.chaos.journal import read_journal
from tests.chaos.kills import moment
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig, Stage


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Kill a run of its own in every trial; count what was acknowledged and has no answer, and what was done twice."""
    for durability in ("sync", "async"):
        began = time.monotonic()
        async with rig.stage(f"plain {durability}", kind) as stage:
            trials = rig.count(50, 500)
            answers = await _kill(stage, durability, trials)
            told = {e["run_id"] for e in read_journal(stage.folder / "client.jsonl") if e["did"] == "told"}
            times = Counter(e["item"] for e in read_journal(stage.folder / "effects.jsonl") if e["delivered"])
        lost = [name for name in told if not answers.get(name)]
        untraced = [name for name in lost if name not in answers]
        repeated = {item.partition("/")[0] for item, number in times.items() if number > 1}
        yield Row(
            "-",
            f"LangGraph + SqliteSaver, {durability}",
            kind,
            f"{trials} kills",
            lost=len(lost),
            repeated=len(repeated),
            counts={
                "acknowledged": len(told),
                "lost without trace": len(untraced),
                "lost": f"{100 * len(lost) / len(told):.0f} %",
                "runs with a repeated effect": f"{100 * len(repeated) / len(told):.0f} %",
            },
            seconds=time.monotonic() - began,
            passed=None,
        )


async def _kill(stage: Stage, durability: str, trials: int) -> dict[str, str]:
    """Return the answer of every thread that there is something of."""

    async def start() -> Program:
        return await stage.start("tests.chaos.plain", str(stage.folder / "plain.db"), durability)

    program = await start()
    client = Client(stage.client, lambda: program.socket)
    began = time.monotonic()
    await client.submit("m0", "m0")
    answers = await _answers(program)
    length_s = time.monotonic() - began
    for number in range(1, trials + 1):
        await client.submit(f"m{number}", f"m{number}")
        await asyncio.sleep(moment(stage.random, length_s))
        await program.kill()
        program = await start()
        answers = await _answers(program)
    return answers


async def _answers(program: Program) -> dict[str, str]:
    """Wait until the server has nothing left to do, and return what it knows."""
    while True:
        try:
            return (await ask(program.socket, op="answers"))["answers"]
        except Gone:
            await asyncio.sleep(0.02)
