"""The ASGI application: every wire's routes behind one guard.

What does not live here: what a route does (`protocols`), and the socket (`run`). The order is fixed: surroundings
(request id, Host, Origin), who asks, whether they may, how often; then the wire's endpoint reads the body.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from motet.errors import MotetBug, MotetError
from motet.server.auth import ANYBODY, require
from motet.server.call import Call
from motet.server.errors import TITLES, Problem, problem_of, problem_response
from motet.server.protocols.base import known_wires
from motet.server.surroundings import Surroundings, request_id_of, traceparent_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from motet.server.office import Office
    from motet.server.protocols.base import Route, Wire

logger = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""What the log shows for a request whose client left before its answer."""


def build_server(office: Office) -> ASGIApp:
    """Return the ASGI application of the wires that the settings name.

    Raises:
        NotFound: A wire has an unknown name.
        MotetBug: Two routes have one operation id.
    """
    wires = known_wires(office.settings.protocol_names())
    rows = table(wires)
    routes = [
        HttpRoute(route.path, _endpoint(wire, route, office), methods=[route.method], name=route.operation_id)
        for wire, route in rows
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_ours})
    app.state.table = rows
    app.state.office = office
    return Surroundings(app, office)


def table(wires: Sequence[Wire]) -> list[tuple[Wire, Route]]:
    """Return the authorisation table: each route of each wire.

    Raises:
        MotetBug: Two routes have one operation id, or one method and path.
    """
    rows = [(wire, route) for wire in wires for route in wire.routes]
    for key in ("operation_id", "place"):
        seen: set[object] = set()
        for _, route in rows:
            name = route.operation_id if key == "operation_id" else (route.method, route.path)
            if name in seen:
                raise MotetBug(f"Two routes have the {key.replace('_', ' ')} {name}.")
            seen.add(name)
    return rows


def _endpoint(wire: Wire, route: Route, office: Office) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request_id = request_id_of(request.scope)
        request.scope["motet.operation"] = route.operation_id
        try:
            caller = ANYBODY
            if route.scope != "public":
                caller = await office.auth.caller(request.headers)
                require(caller, route.scope)
                office.rates.take((caller.tenant_id, caller.owner_id))
            request.scope["motet.caller"] = caller
            desk = office.desks.desk(caller)
            desk.traceparent = traceparent_of(request.headers)
            request.scope["motet.desk"] = desk
            call = Call(request, desk, office)
            if route.media == "text/event-stream":
                office.streams.check(caller)
            return await route.endpoint(call)
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        except MotetError as error:
            problem = problem_of(error, request_id)
            if problem.status == 500:
                logger.exception("%s failed (%s)", route.operation_id, request_id)
            return wire.error(problem)
        except Exception as error:  # the door's edge: the trace goes to the log, an id to the caller
            logger.exception("%s failed (%s)", route.operation_id, request_id)
            return wire.error(problem_of(error, request_id))

    return answer


async def _not_ours(request: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = dict(getattr(error, "headers", None) or {})
    message = f"There is nothing at {request.method} {request.scope['path'][:200]!r}."
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "bad_request")
    title = message if status in (404, 405) else TITLES.get(status, "Error")
    return problem_response(Problem(status, code, title, request_id_of(request.scope), {}, headers))
