"""R-01, R-02, R-04: kill -9 at random moments, on one database that is never started afresh."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator

from tests.chaos.client import Client, ask
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Program, Rig, Stage

THREADS = 12
SETTLED_S = 0.1
"""What a caller began before it was killed has happened by then."""

SLOW_S = 12.0
"""What took longer is told in detail: less than a lease, so that one which had to end is seen."""

WITHIN_S = 30.0
"""After a kill, every acknowledged run has ended by then."""


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Kill, start again and wait for the runs to end, again and again; compare the records at the end."""
    trials, began = rig.count(100, 1000), time.monotonic()
    async with rig.stage("kills", kind) as stage:
        story = _Story(stage)
        length_s = await story.measure()
        for number in range(trials):
            await story.trial(number, moment(stage.random, length_s))
        await story.program.kill()
        found = await stage.check()
    seconds = time.monotonic() - began
    spoken = f"{trials} kills"
    late = [f"{late:.1f} s after the kill" for late in story.took_s if late > WITHIN_S] + story.told_slow
    counts: dict[str, object] = {
        "acknowledged": found.acknowledged,
        "in flight when killed": story.in_flight,
        "slowest end after a kill": f"{max(story.took_s):.1f} s",
        "asked again under a known key": found.asked_again,
        "calls without a key that a person was asked about": story.questions,
        "strange": len(found.strange),
    }
    details = [line for line in found.lines() if not line.startswith("gap")]
    yield Row(
        "R-01 R-02",
        "kill -9 at random moments",
        kind,
        spoken,
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts=counts,
        seconds=seconds,
        passed=not details and max(story.took_s) <= WITHIN_S,
        details=details + late,
    )
    gaps = [line for line in found.lines() if line.startswith("gap")]
    yield Row(
        "R-04",
        "readers cut off and killed",
        kind,
        spoken,
        lost=len(gaps),
        repeated=0,
        counts={"hang-ups": story.cuts, "events": story.events(), "unknown run refused": story.refused},
        seconds=0.0,
        passed=not gaps and story.refused == "yes",
        details=gaps,
    )


def moment(source: random.Random, length_s: float) -> float:
    """Choose when to kill: half of the moments are around the acceptance, the others up to after the end."""
    return source.uniform(0, 0.1) if source.random() < 0.5 else source.uniform(0, 1.5) * length_s


class _Story:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._random = stage.random
        self._client = Client(stage.client, lambda: self.program.socket)
        self.program: Program
        self.in_flight = 0
        self.cuts = 0
        self.questions = 0
        self.refused = "no"
        self.took_s: list[float] = []
        self.told_slow: list[str] = []

    async def measure(self) -> float:
        """Start the server; return how long a trial's runs take when nothing is killed."""
        self.program = await self._stage.start()
        await self._orders("m0-warm")
        began = time.monotonic()
        await self._orders("m0-length")
        self.refused = "yes" if await self._is_refused("no-such-run") else "no"
        return time.monotonic() - began

    async def trial(self, number: int, kill_after_s: float) -> None:
        ending = asyncio.create_task(self._orders(f"m{number + 1}"))
        await asyncio.sleep(kill_after_s)
        self.in_flight += not ending.done()
        await self.program.kill()
        began = time.monotonic()
        self.program = await self._stage.start()
        async with asyncio.timeout(4 * WITHIN_S):
            await ending
        self.took_s.append(time.monotonic() - began)
        if self.took_s[-1] > SLOW_S:
            self.told_slow += await self._pauses(f"m{number + 1}-")

    async def _pauses(self, name: str) -> list[str]:
        """Say where a trial's runs waited longest, and what the server said last: what made them slow."""
        history = await self._stage.history()
        asked = {
            e["run_id"]: e["key"] for e in history.client if e["did"] == "told" and e["key"].startswith(name)
        }
        said = []
        for run_id, key in asked.items():
            events = [e for e in history.rows.events if e["run_id"] == run_id]
            pairs = list(itertools.pairwise(events))
            if pairs:
                one, other = max(pairs, key=lambda pair: pair[1]["at"] - pair[0]["at"])
                pause_s = other["at"] - one["at"]
                said.append(
                    f"{key}: {pause_s:.1f} s between {one['type']} ({one['seq']}) and {other['type']}"
                )
        return [f"slow: {self.took_s[-1]:.1f} s", *said, *self._stage.log_text().splitlines()[-6:]]

    async def _orders(self, name: str) -> None:
        """Ask for a trial's runs and read them to their ends: two on one thread, and two on others."""
        first, second = self._random.sample(range(THREADS), 2)
        threads = (first, first, second)
        patient = [self._random.random() < 0.7 for _ in threads]
        # The two on one thread are asked for one after the other: their order is part of what is checked.
        await asyncio.gather(
            self._one_after_the_other(name, first, patient[:2]),
            self._order(f"{name}-3", second, patient[2]),
            self._pay(f"{name}-4"),
        )

    async def _one_after_the_other(self, name: str, thread: int, patient: list[bool]) -> None:
        readers = [
            await self._client.submit(f"{name}-{i}", f"thread-{thread}", patient=patience)
            for i, patience in enumerate(patient, 1)
        ]
        await asyncio.gather(*(self._read(run_id) for run_id in readers))

    async def _order(self, marker: str, thread: int, patient: bool) -> None:
        await self._read(await self._client.submit(marker, f"thread-{thread}", patient=patient))

    async def _pay(self, marker: str) -> None:
        """Order at somebody who knows no keys; where Motet asks what became of a call, look there and answer."""
        run_id = await self._client.submit(marker, marker, tool="pay")
        while run_id is not None and await self._client.read(run_id, cut=self._cut) == "run.interrupted":
            self.questions += 1
            await asyncio.sleep(SETTLED_S)
            item = self._client.questions[run_id]["arguments"]["item"]
            there = [entry["receipt"] for entry in self._stage.deliveries() if entry["item"] == item]
            answer = {"result": f"{item} receipt {there[0]}"} if there else "again"
            key = f"{marker} answer {self.questions}"
            run_id = await self._client.submit(marker, marker, key=key, resume=answer)

    async def _read(self, run_id: str | None) -> None:
        if run_id is not None:
            await self._client.read(run_id, cut=self._cut)

    def _cut(self) -> bool:
        cut = self._random.random() < 0.1
        self.cuts += cut
        return cut

    async def _is_refused(self, run_id: str) -> bool:
        return (await ask(self.program.socket, op="follow", run_id=run_id, after=0)).get(
            "error"
        ) == "not_found"

    def events(self) -> int:
        return sum(1 for entry in self._stage.entries() if entry["did"] == "read")
