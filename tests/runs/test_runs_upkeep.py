"""A worker looks after what is old while it works."""

import asyncio
from dataclasses import replace

from studio import Studio
from test_runs_log_retention import STORY, log_of, told

from motet.runs.upkeep import chores_of
from motet.runs.worker import Worker


async def worker_pause() -> None:
    await asyncio.sleep(0.02)


async def test_a_worker_folds_logs_as_its_settings_say(studio: Studio) -> None:
    settings = replace(studio.settings.runs, heartbeat_s=0.02, fold_events_days=1.0)
    run_id = await told(studio, *STORY)
    worker = Worker(studio.queue, studio.engine, settings, chores=chores_of(studio.database, settings))
    await worker.start()
    try:
        async with asyncio.timeout(10):
            while len(await log_of(studio, run_id)) == len(STORY) + 2:
                await worker_pause()
    finally:
        await worker.aclose()
