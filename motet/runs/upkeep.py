"""What a worker does beside its runs, a little with every heartbeat.

What does not live here: how it is done (`answers`, `log.retention`, `freed`), and threads' time (`threads.upkeep`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.runs.answers import expire
from motet.runs.freed import Freed
from motet.runs.log.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from motet.settings import RunSettings
    from motet.storage.engine import Database


def chores_of(database: Database, settings: RunSettings) -> list[Callable[[], Awaitable[None]]]:
    """Return the chores of a worker.

    They end questions that nobody answered, look after the logs of ended runs, and give memory back.
    """
    freed = Freed()
    retention = Retention(
        database=database,
        fold_after_days=settings.fold_events_days,
        keep_days=settings.keep_events_days,
    )

    async def expire_questions() -> None:
        if settings.interrupt_ttl_s:
            await database.write(lambda c: expire(c, settings.interrupt_ttl_s))

    async def trim_logs() -> None:
        await retention.trim()

    async def give_back() -> None:
        await freed.give_back()

    return [expire_questions, trim_logs, give_back]
