"""What this wire's clients ask of the server itself."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from motet.server.protocols.agent_server.shapes import answer

if TYPE_CHECKING:
    from starlette.responses import Response

    from motet.server.call import Call


async def ok(_call: Call) -> Response:
    """Say that the process answers."""
    return answer({"ok": True})


async def info(_call: Call) -> Response:
    """Say what the server is and can."""
    flags = {"assistants": True, "crons": True, "langsmith": False, "strict_resume": True}
    host = {
        "kind": "self-hosted",
        "project_id": None,
        "host_revision_id": None,
        "revision_id": None,
        "tenant_id": None,
    }
    return answer(
        {
            "version": version("motet"),
            "langgraph_py_version": version("langgraph"),
            "flags": flags,
            "host": host,
        }
    )
