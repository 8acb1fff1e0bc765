"""Tools made of what was approved of MCP servers. Nothing is started or called to make them.

What does not live here: the calls themselves (`client`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from motet.errors import MotetError
from motet.tools.mcp.client import McpClient
from motet.tools.wrap import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.egress.client import Egress
    from motet.settings import ToolSettings
    from motet.tools.mcp.client import Offer
    from motet.tools.mcp.pins import Pins
    from motet.tools.mcp.servers import McpServer
    from motet.tools.mcp.sessions import McpSessions

_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_RESOURCE = {
    "type": "object",
    "properties": {"uri": {"type": "string", "description": "One of the listed URIs"}},
    "required": ["uri"],
}


def mcp_tools(
    servers: Mapping[str, McpServer],
    pins: Pins,
    egress: Egress,
    settings: ToolSettings,
    sessions: McpSessions | None = None,
) -> list[BaseTool]:
    """Return a tool for each approved tool and prompt, and one a server that reads its approved resources."""
    found: list[BaseTool] = []
    for server in servers.values():
        client = McpClient(server, egress, timeout_s=settings.timeout_s, sessions=sessions)
        approved = pins.approved(server.name)
        found += [
            _tool(server, client, offer, settings.max_output_chars)
            for offer in approved
            if offer.kind != "resource"
        ]
        resources = {offer.name: offer for offer in approved if offer.kind == "resource"}
        if resources:
            found.append(_reader(server, client, resources, settings.max_output_chars))
    return found


def tool_name(server: str, name: str) -> str:
    """Return a tool's name: the server's first, so that no server's tool takes another's place."""
    return f"{server}__{_ODD.sub('_', name)}"[:64]


def _tool(server: McpServer, client: McpClient, offer: Offer, limit: int) -> BaseTool:
    async def call(**values: Any) -> str:
        return await _answer(client, values, offer, limit)

    description = offer.description or offer.name
    return _made(server, tool_name(server.name, offer.name), description, offer.schema, call)


def _reader(server: McpServer, client: McpClient, resources: Mapping[str, Offer], limit: int) -> BaseTool:
    async def read(uri: str) -> str:
        if uri not in resources:
            raise ToolException(
                f"'{cut(uri, 200)}' is none of the approved resources: {', '.join(resources)}."
            )
        return await _answer(client, {}, resources[uri], limit)

    listed = "; ".join(f"{uri}: {cut(offer.description, 100)}" for uri, offer in list(resources.items())[:20])
    return _made(server, tool_name(server.name, "read_resource"), f"Read one of: {listed}", _RESOURCE, read)


async def _answer(client: McpClient, values: dict[str, Any], offer: Offer, limit: int) -> str:
    try:
        text, is_error = await client.call(offer.kind, offer.name, values, offer)
    except MotetError as error:
        raise ToolException(error.message) from error
    if is_error:
        raise ToolException(cut(text, limit))
    return cut(text, limit)


def _made(server: McpServer, name: str, description: str, schema: dict[str, Any], call: Any) -> BaseTool:
    return StructuredTool.from_function(
        coroutine=call,
        name=name,
        description=description,
        args_schema=schema or {"type": "object", "properties": {}},
        handle_tool_error=True,
        metadata={"effect": server.effect, "class": server.access, "mcp": server.name},
    )
