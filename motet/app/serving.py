"""From an app to a server: who may come in, which wires are spoken.

What does not live here: requests (`motet.server`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.server.auth import OpenDoor
from motet.server.http import build_server
from motet.server.office import Office
from motet.server.run import Serving, listen

if TYPE_CHECKING:
    from motet.app.switchboard import App


async def open_office(app: App) -> Office:
    """Return what the requests of a server share."""
    return Office(app.settings.server, app, OpenDoor())


async def open_server(app: App) -> Any:
    """Return the ASGI application of an entered app, to be mounted in another one or served by any server."""
    return build_server(await open_office(app))


async def open_serving(app: App) -> Serving:
    """Return a server that listens already, for an entered app.

    Raises:
        SettingInvalid: It cannot listen there, or must not without asking who comes.
        NotFound: The settings name an unknown protocol.
    """
    office = await open_office(app)
    return Serving(
        build_server(office), office, listen(app.settings.server, asks=office.auth.asks), app.drain
    )
