"""What a server says about itself: whether it lives, whether it is ready, and what it speaks.

What does not live here: the OpenAPI document's making (`motet.server.openapi`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from motet.server.protocols.base import Route, Wire

if TYPE_CHECKING:
    from motet.server.call import Call


async def live(_call: Call) -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "live"})


async def ready(call: Call) -> Response:
    """Say whether new work is taken."""
    if call.office.draining:
        return JSONResponse({"status": "stopping"}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


STATUS_SCHEMA = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}

WIRE = Wire(
    name="system",
    title="The server itself",
    routes=(
        Route(
            "GET", "/live", "system.live", "public", live, "Whether the process answers", answer=STATUS_SCHEMA
        ),
        Route(
            "GET",
            "/ready",
            "system.ready",
            "public",
            ready,
            "Whether new work is taken",
            answer=STATUS_SCHEMA,
        ),
    ),
)
