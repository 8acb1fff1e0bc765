"""R-21: many callers at once with one idempotency key, and the server is killed among them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.chaos.client import Client, Gone, ask
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Rig

CALLERS = 200


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Every caller is told of the same run, there is one, and another request under the key is refused."""
    trials, began = rig.count(5, 50), time.monotonic()
    async with rig.stage("same key", kind) as stage:
        program = await stage.start()
        client = Client(stage.client, lambda: program.socket)
        conflicts = 0
        for number in range(trials):
            marker, thread = f"m{number}", f"thread-{number}"
            calls = [asyncio.create_task(client.submit(marker, thread)) for _ in range(CALLERS)]
            await asyncio.sleep(stage.random.uniform(0, 0.25))
            await program.kill()
            program = await stage.start()
            run_ids = {run_id for run_id in await asyncio.gather(*calls) if run_id}
            other = await _other(program.socket, thread, marker)
            conflicts += other.get("error") == "conflict"
            await asyncio.gather(*(client.read(run_id) for run_id in run_ids))
        found = await stage.check()
        created = sum(1 for entry in stage.entries() if entry.get("created"))
    details = found.lines()
    if conflicts != trials:
        details.append(f"another request under a known key was refused {conflicts} of {trials} times")
    yield Row(
        "R-21",
        f"{CALLERS} callers with one key, killed among them",
        kind,
        f"{trials} kills",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "runs": sum(found.statuses.values()),
            "answers that said 'created'": created,
            "other requests refused": conflicts,
        },
        seconds=time.monotonic() - began,
        passed=not details,
        details=details,
    )


async def _other(socket: Path, thread_id: str, key: str) -> dict[str, Any]:
    """Ask for something else under a key, and again where no answer comes: 200 callers are at the door."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask(socket, op="submit", text="order m-other", thread_id=thread_id, key=key)
            except Gone:
                await asyncio.sleep(0.05)
