"""R-13: PostgreSQL is restarted without a word, and connections to it are cut, while runs are at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from sqlalchemy import make_url

from tests.chaos.client import Client
from tests.chaos.proxy import Proxy
from tests.chaos.report import Row
from tests.chaos.rig import DatabaseKind, Rig, Stage

WITHIN_S = 45.0
"""Every acknowledged run has ended by then after a fault: a lease of 6 s, a few times."""


async def run(rig: Rig, kind: DatabaseKind) -> AsyncIterator[Row]:
    """Restart the server among runs, and then cut its wires."""
    server = rig.postgres()

    async def restart() -> None:
        await asyncio.to_thread(server.restart)

    async with rig.stage("restart", kind, model_delay_s=0.1, MOTET_LEASE_S="6") as stage:
        yield await _faults(stage, "server restarted at once", rig.count(6, 20), restart)
    async with Proxy(str(server.folder / ".s.PGSQL.5432")) as proxy:

        async def cut() -> None:
            proxy.cut()

        async with rig.stage("cut", kind, model_delay_s=0.1, MOTET_LEASE_S="6") as stage:
            url = make_url(stage.url).set(host="127.0.0.1", port=proxy.port, query={})
            stage.env["MOTET_DATABASE_URL"] = url.render_as_string(hide_password=False)
            row = await _faults(stage, "connections cut", rig.count(8, 100), cut)
            row.counts["connections cut"] = proxy.cuts
            yield row


async def _faults(stage: Stage, what: str, trials: int, fault: Callable[[], Awaitable[None]]) -> Row:
    """Have a fault happen among the runs of each trial."""
    began = time.monotonic()
    program = await stage.start()
    client = Client(stage.client, lambda: program.socket)
    await client.order("m0", "thread-0")
    took_s: list[float] = []
    for number in range(1, trials + 1):
        orders = [asyncio.create_task(client.order(f"m{number}-{i}", f"thread-{i % 4}")) for i in range(5)]
        for _ in range(2):
            await asyncio.sleep(stage.random.uniform(0, 0.5))
            await fault()
        back = time.monotonic()
        async with asyncio.timeout(4 * WITHIN_S):
            await asyncio.gather(*orders)
        took_s.append(time.monotonic() - back)
    found = await stage.check()
    late = [f"{s:.1f} s after the fault" for s in took_s if s > WITHIN_S]
    return Row(
        "R-13",
        what,
        stage.kind,
        f"{2 * trials} times",
        lost=len(found.lost),
        repeated=len(found.repeated),
        counts={
            "acknowledged": found.acknowledged,
            "asked to try again": sum(entry["did"] == "refused" for entry in stage.entries()),
            "attempts beyond the first": found.attempts,
            "asked again under a known key": found.asked_again,
            "slowest end": f"{max(took_s):.1f} s",
        },
        seconds=time.monotonic() - began,
        passed=found.clean and not late,
        details=found.lines() + late,
    )
