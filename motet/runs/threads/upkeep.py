"""What workers do for threads now and then: delete those whose time is over.

What does not live here: how one is deleted (`service`). Light: no state of a thread is read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.errors import MotetError
from motet.runs.records import ACTIVE
from motet.storage.clock import db_now
from motet.storage.tables import runs, threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.engine import Connection

logger = logging.getLogger(__name__)

DAY_S = 86_400.0

PAUSE_S = 600.0
"""How long a worker waits before it looks again."""


async def keep_tidy(
    delete_expired: Callable[[float], Awaitable[int]], *, default_ttl_s: float, pause_s: float = PAUSE_S
) -> None:
    """Delete the threads whose time is over, at once and then every `pause_s`, until it is cancelled.

    Args:
        delete_expired: `Threads.delete_expired` of the tenant whose threads they are.
        default_ttl_s: For threads without a time of their own, in seconds; 0 keeps them for ever.
        pause_s: Between two looks.
    """
    while True:
        try:
            deleted = await delete_expired(default_ttl_s)
        except MotetError as error:
            logger.warning("cannot delete old threads: %s", error.message)
        except Exception:  # the worker's edge: what goes wrong here must not end the work on runs
            logger.exception("cannot delete old threads")
        else:
            if deleted:
                logger.info("deleted %d threads whose time was over", deleted)
        await asyncio.sleep(pause_s)


def expired(connection: Connection, tenant_id: str, default_ttl_s: float, limit: int) -> list[str]:
    """Return the ids of at most `limit` threads whose time is over and that nothing runs on, the oldest first."""
    ttl = sa.func.coalesce(threads.c.ttl_s, default_ttl_s)
    mine = sa.and_(runs.c.tenant_id == threads.c.tenant_id, runs.c.thread_id == threads.c.thread_id)
    query = (
        sa.select(threads.c.thread_id)
        .where(threads.c.tenant_id == tenant_id, ttl > 0, threads.c.updated_at + ttl < db_now())
        .where(~sa.exists().where(mine, runs.c.status.in_(ACTIVE)))
        .order_by(threads.c.updated_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())
