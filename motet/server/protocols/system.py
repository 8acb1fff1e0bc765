"""What a server says about itself: whether it lives, whether it is ready, what it speaks and what it does.

What does not live here: how the OpenAPI document is made (`motet.server.openapi`) and what is counted (`metrics`).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.responses import Response

from motet.errors import NotFound
from motet.server.openapi import document
from motet.server.pages import html_page
from motet.server.plain import PlainAnswer
from motet.server.protocols.base import Route, Wire

if TYPE_CHECKING:
    from motet.server.call import Call


async def live(_call: Call) -> Response:
    """Say that the process answers."""
    return PlainAnswer({"status": "live"})


async def ready(call: Call) -> Response:
    """Say whether new work is taken."""
    if call.office.draining:
        return PlainAnswer({"status": "stopping"}, 503, {"Retry-After": "1"})
    return PlainAnswer({"status": "ready"})


async def openapi(call: Call) -> Response:
    """Return the OpenAPI document of every route."""
    if not call.office.settings.docs:
        raise NotFound("MOTET_DOCS is off.")
    table = call.request.app.state.table
    return PlainAnswer(document(table, version=version("motet"), below=call.below("")))


async def docs(call: Call) -> Response:
    """Return a page that shows the OpenAPI document."""
    if not call.office.settings.docs:
        raise NotFound("MOTET_DOCS is off.")
    return html_page("docs.html")


async def metrics(call: Call) -> Response:
    """Return what the server does, for Prometheus."""
    if call.office.metrics is None:
        raise NotFound("MOTET_METRICS is off.")
    return Response(call.office.metrics.text(), media_type="text/plain; version=0.0.4")


STATUS = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
ANY = {"type": "object"}

WIRE = Wire(
    name="system",
    title="The server itself",
    routes=(
        Route("GET", "/live", "system.live", "public", live, "Whether the process answers", answer=STATUS),
        Route("GET", "/ready", "system.ready", "public", ready, "Whether new work is taken", answer=STATUS),
        Route("GET", "/openapi.json", "system.openapi", "public", openapi, "The OpenAPI document", answer=ANY),
        Route("GET", "/docs", "system.docs", "public", docs, "A page that shows it", media="text/html"),
        Route(
            "GET", "/metrics", "system.metrics", "admin", metrics, "What the server does, for Prometheus",
            media="text/plain",
        ),
    ),
)  # fmt: skip
