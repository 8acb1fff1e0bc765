"""Workers delete threads whose time is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.memory.checkpoints import MotetSaver
from motet.runs.threads.service import Threads
from motet.runs.threads.upkeep import keep_tidy
from motet.storage.seal import load_seal
from motet.storage.tables import runs, threads

if TYPE_CHECKING:
    from studio import Studio


async def test_an_idle_thread_goes_when_its_time_is_over_and_a_busy_one_stays(studio: Studio) -> None:
    saver = MotetSaver(studio.database, load_seal(studio.settings.storage))
    operations = Threads(studio.database, studio.records, saver, "local")
    idle, busy = await studio.submit("idle"), await studio.submit("busy")
    ended = sa.update(runs).where(runs.c.thread_id == idle.thread_id).values(status="success")
    old = sa.update(threads).values(updated_at=threads.c.updated_at - 100)
    for change in (ended, old):
        await studio.database.write(lambda c, change=change: c.execute(change))
    task = asyncio.create_task(keep_tidy(operations.delete_expired, default_ttl_s=50, pause_s=0.01))
    for _ in range(1000):
        if len(await studio.records.threads()) < 2:
            break
        await asyncio.sleep(0.01)
    assert [thread.thread_id for thread in await studio.records.threads()] == [busy.thread_id]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
