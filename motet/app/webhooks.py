"""From an app to the postman who tells others of runs' ends: the message is made by the wire that took the run.

What does not live here: when and how a message is sent (`runs.webhooks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import NotFound
from motet.runs.request import Caller
from motet.runs.webhooks.postman import Postman, Receivers
from motet.server.plain import json_text
from motet.server.protocols.base import known_wires

if TYPE_CHECKING:
    from motet.app.rooms import Rooms
    from motet.app.switchboard import App
    from motet.runs.webhooks.rows import Due


def receivers(rooms: Rooms, hosts: str) -> Receivers:
    """Return whom runs may name."""
    return Receivers(rooms.egress, hosts)


def keys_of(rooms: Rooms, tenant_id: str) -> list[bytes]:
    """Return the keys that a tenant's messages are signed with, the newest first; no two tenants share one."""
    return rooms.seal.derive(f"webhooks of {tenant_id}")


def build_postman(app: App, rooms: Rooms) -> Postman:
    """Return the postman of an app."""

    async def write(due: Due) -> str | None:
        caller = Caller(tenant_id=due.tenant_id, owner_id=due.owner_id, scopes=frozenset({"admin"}))
        told = known_wires([due.wire])[-1].webhook
        try:
            return json_text(await told(app.desk(caller), due.run_id)) if told else None
        except NotFound:
            return None

    hosts = app.settings.egress.webhooks
    return Postman(rooms.database, receivers(rooms, hosts), write, lambda tenant: keys_of(rooms, tenant))
