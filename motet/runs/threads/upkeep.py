"""What workers do for threads now and then: delete those whose time is over.

What does not live here: how that is done (`service`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from motet.errors import MotetError

if TYPE_CHECKING:
    from motet.runs.threads.service import Threads

logger = logging.getLogger(__name__)

DAY_S = 86_400.0

PAUSE_S = 600.0
"""How long a worker waits before it looks again."""


async def keep_tidy(operations: Threads, *, default_ttl_s: float, pause_s: float = PAUSE_S) -> None:
    """Delete the threads whose time is over, at once and then every `pause_s`, until it is cancelled."""
    while True:
        try:
            deleted = await operations.delete_expired(default_ttl_s)
        except MotetError as error:
            logger.warning("cannot delete old threads: %s", error.message)
        except Exception:  # the worker's edge: what goes wrong here must not end the work on runs
            logger.exception("cannot delete old threads")
        else:
            if deleted:
                logger.info("deleted %d threads whose time was over", deleted)
        await asyncio.sleep(pause_s)
