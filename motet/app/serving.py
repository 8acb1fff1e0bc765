"""From an app to a server: who may come in, which wires are spoken.

What does not live here: requests (`motet.server`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.server.auth import Door
from motet.server.http import build_server
from motet.server.office import Office
from motet.server.run import Serving, listen

if TYPE_CHECKING:
    from motet.app.switchboard import App


async def open_office(app: App) -> Office:
    """Return what the requests of a server share."""
    settings = app.settings.server
    tokens = None
    if settings.jwt_issuer:
        from motet.server.tokens import Tokens  # noqa: PLC0415  # an extra

        tokens = Tokens(settings, app.fetch)
    return Office(settings, app, Door(app.keys, tokens))


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
    built = build_server(office)
    bound = listen(app.settings.server, asks=await office.auth.asks())
    serving = Serving(built, office, bound, app.drain)
    app.keep_from(serving.port)
    return serving
