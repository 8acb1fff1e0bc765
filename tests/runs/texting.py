"""Double texting as a model: what the four strategies promise, beside what the gate, the queue and the log do.

`python tests/runs/texting.py --steps 2000 --seed 1` walks for longer than the tests do (R-09).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motet.errors import Conflict
from motet.events import RunCancelledEvent, RunCompleted, RunStarted
from motet.memory import transcript
from motet.runs.log.base import MustUndo
from motet.runs.queue.base import Claim

THREADS = ("a", "b", "c")
STRATEGIES = ("reject", "enqueue", "interrupt", "rollback")


@dataclass
class Run:
    """A run as the model has it."""

    run_id: str
    thread_id: str
    status: str = "pending"
    stopped: bool = False
    undone: bool = False
    claim: Claim | None = None


@dataclass
class Walk:
    """A walk at random through submissions, claims and ends; every step is compared with the model."""

    studio: Any
    dice: random.Random
    runs: list[Run] = field(default_factory=list[Run])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    async def step(self) -> None:
        """Do one thing and compare."""
        claimed = [run for run in self.runs if run.status == "running"]
        what = self.dice.choice(["submit", "submit", "claim", "claim", "end", "cancel"])
        if what == "submit":
            await self.submit()
        elif what == "claim":
            await self.claim()
        elif claimed:
            run = self.dice.choice(claimed)
            await (self.end(run) if what == "end" else self.cancel(run))
        await self.compare()

    def active(self, thread_id: str) -> list[Run]:
        """Return the thread's runs that have not ended, in the order of acceptance."""
        return [r for r in self.runs if r.thread_id == thread_id and r.status in ("pending", "running")]

    async def submit(self) -> None:
        """Write to a thread, busy or not, under one of the strategies."""
        thread_id, strategy = self.dice.choice(THREADS), self.dice.choice(STRATEGIES)
        busy = self.active(thread_id)
        self._count(f"{strategy} on a {'busy' if busy else 'free'} thread")
        try:
            accepted = await self.studio.submit(
                "hi", thread_id=thread_id, create_thread=True, multitask=strategy
            )
        except Conflict:
            assert strategy == "reject"
            assert busy
            return
        assert strategy != "reject" or not busy
        for run in busy if strategy in ("interrupt", "rollback") else ():
            run.undone = run.undone or strategy == "rollback"
            if run.status == "pending":
                run.status = "cancelled"
            else:
                run.stopped = True
        self.runs.append(Run(accepted.run_id, thread_id))

    async def claim(self) -> None:
        """Claim a run: the oldest that waits on a thread with nothing at work."""
        claim = await self.studio.queue.claim("w1")
        free = [waiting[0] for t in THREADS if (waiting := self.active(t)) and waiting[0].status == "pending"]
        assert (claim is not None) == bool(free)
        if claim is None:
            return
        run = next(run for run in free if run.run_id == claim.job.run_id)
        run.status, run.claim = "running", claim
        await self.studio.log.append(claim, [RunStarted(attempt=1)])

    async def end(self, run: Run) -> None:
        """Let a run end well; one that is to be rolled back may not, whatever its worker knows."""
        assert run.claim is not None
        self._count("ends well, though it is to stop" if run.stopped else "ends well")
        try:
            await self.studio.log.append(run.claim, [RunCompleted(output={})])
        except MustUndo:
            assert run.undone
            await self.studio.log.append(run.claim, [RunCancelledEvent(reason="undone", undone=True)])
            run.status = "cancelled"
        else:
            assert not run.undone
            run.status = "success"

    async def cancel(self, run: Run) -> None:
        """Let a run that was asked to stop do so."""
        assert run.claim is not None
        asked = await self.studio.queue.cancels([run.run_id])
        assert asked == ({run.run_id} if run.stopped else set())
        if run.stopped:
            self._count("stops")
            ending = RunCancelledEvent(reason="another run took its place", undone=run.undone)
            await self.studio.log.append(run.claim, [ending])
            run.status = "cancelled"

    async def compare(self) -> None:
        """Compare every run's status, and whose messages are in the transcripts."""
        database = self.studio.database
        for thread_id in {run.thread_id for run in self.runs}:
            mine = [run for run in self.runs if run.thread_id == thread_id]
            stored = await self.studio.records.runs(thread_id, limit=10_000)
            assert {r.run_id: r.status for r in stored} == {run.run_id: run.status for run in mine}
            rows = await database.read(lambda c, t=thread_id: transcript.read_all(c, "local", t))
            gone = {run.run_id for run in mine if run.undone and run.status == "cancelled"}
            assert [row.run_id for row in rows if row.run_id in gone] == []
            assert {row.run_id for row in rows} == {run.run_id for run in mine} - gone

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


async def _main(steps: int, seed: int) -> None:
    from studio import open_database, open_studio

    from motet.settings import Settings

    with tempfile.TemporaryDirectory() as name:
        settings = Settings.load({"storage.home": Path(name)}, cwd=Path(name))
        with open_database(settings.storage) as database:
            async with open_studio(database, settings, {"echo": lambda: None}) as studio:
                walk = Walk(studio, random.Random(seed))
                for _ in range(steps):
                    await walk.step()
                print(f"{steps} steps, {len(walk.runs)} runs: every one as the model says")
                for what, count in sorted(walk.counts.items()):
                    print(f"  {count:>5} {what}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asyncio.run(_main(asked.steps, asked.seed))
