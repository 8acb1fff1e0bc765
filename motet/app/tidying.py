"""Deletes threads whose time is over: every tenant's, where a worker takes every thread's runs.

What does not live here: how often (`runs.threads.upkeep`), and how one is deleted (`runs.threads.service`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.runs.threads.upkeep import DAY_S, keep_tidy
from motet.storage.tables import threads

if TYPE_CHECKING:
    from motet.app.rooms import Rooms
    from motet.settings import RunSettings


async def tidy(rooms: Rooms, settings: RunSettings, *, every_tenant: bool) -> None:
    """Delete what is over now and then, until it is cancelled."""

    async def delete(default_ttl_s: float) -> int:
        if every_tenant:
            return await delete_every_tenants(rooms, default_ttl_s)
        return await rooms.threads.delete_expired(default_ttl_s)

    await keep_tidy(delete, default_ttl_s=settings.thread_ttl_days * DAY_S)


async def delete_every_tenants(rooms: Rooms, default_ttl_s: float) -> int:
    """Delete the threads of all tenants whose time is over; return how many those were."""
    query = sa.select(threads.c.tenant_id).distinct()
    tenants = await rooms.database.read(lambda c: list(c.execute(query).scalars()))
    return sum([await rooms.of(one).threads.delete_expired(default_ttl_s) for one in tenants])
