"""Tools made of what was approved of MCP servers. Nothing is started or called to make them.

What does not live here: the calls themselves (`client`).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, ToolException

from motet.errors import MotetError
from motet.tools.mcp.client import McpClient
from motet.tools.wrap import GivenTool, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from motet.egress.client import Egress
    from motet.settings import ToolSettings
    from motet.tools.mcp.client import Offer
    from motet.tools.mcp.pins import Pins
    from motet.tools.mcp.servers import McpServer
    from motet.tools.mcp.sessions import McpSessions

_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_NAME_CHARS = 64
"""Models take no longer names."""
_MARK_CHARS = 6
READER = "read_resource"
"""Its server's name before it, the tool that reads resources."""
_RESOURCE = {
    "type": "object",
    "properties": {
        "uri": {"type": "string", "description": "One of the listed URIs, its {places} filled in"}
    },
    "required": ["uri"],
}

_PLACES = {
    "/": r"(?:/[^?#\s{}]*)?",
    "?": r"(?:\?[^#\s{}]*)?",
    "&": r"(?:&[^#\s{}]*)?",
    ".": r"(?:\.[^/?#\s{}]*)?",
    ";": r"(?:;[^/?#\s{}]*)?",
}
"""What a template's place with a sign of its own may become."""


def mcp_tools(
    servers: Mapping[str, McpServer],
    pins: Pins,
    egress: Egress,
    settings: ToolSettings,
    sessions: McpSessions | None = None,
) -> list[BaseTool]:
    """Return a tool for each approved tool and prompt, and one a server that reads its approved resources.

    A URI is an approved resource's own, or one of an approved template's.
    """
    found: list[BaseTool] = []
    for server in servers.values():
        client = McpClient(server, egress, timeout_s=settings.timeout_s, sessions=sessions)
        approved = pins.approved(server.name)
        found += [
            _tool(server, client, offer, name, settings.max_output_chars)
            for name, offer in tool_names(server.name, approved).items()
        ]
        resources = {offer.name: offer for offer in approved if offer.kind in ("resource", "template")}
        if resources:
            found.append(_reader(server, client, resources, settings.max_output_chars))
    return found


def tool_names(server: str, offers: Iterable[Offer]) -> dict[str, Offer]:
    """Return a server's tools and prompts by the names that agents call them by.

    The server's name comes first, so that no server's tool takes another's place. What models take no names of becomes
    `_`. A name in another script would leave nothing to tell it by, and two may become the same: such a one ends in a
    mark that it has by itself, whatever else the server offers, so that a rule stays about what it was written for.
    """
    named = {f"{server}__{READER}"}
    found: dict[str, Offer] = {}
    callable_ = [offer for offer in offers if offer.kind in ("tool", "prompt")]
    names: dict[int, str] = {}
    for offer in sorted(callable_, key=lambda one: (_ODD.search(one.name) is not None, one.kind != "tool")):
        name = f"{server}__{_ODD.sub('_', offer.name)}"[:_NAME_CHARS]
        if name in named or not offer.name.isascii():
            name = _marked(server, offer)
        named.add(name)
        names[id(offer)] = name
    for offer in callable_:
        found[names[id(offer)]] = offer
    return found


def _marked(server: str, offer: Offer) -> str:
    mark = hashlib.sha256(f"{offer.kind} {offer.name}".encode("utf-8", "replace")).hexdigest()[:_MARK_CHARS]
    kept = _ODD.sub("_", offer.name).strip("_") or offer.kind
    return f"{f'{server}__{kept}'[: _NAME_CHARS - _MARK_CHARS - 1]}_{mark}"


def fits(template: str, uri: str) -> bool:
    """Say whether a URI is one of a template's: its words as they stand, and something in each of its places.

    A place `{name}` is one piece of a path; `{+name}`, `{#name}` and `{name*}` are the rest of it; `{/name}`, `{?name}`
    and `{&name}` may be missing. Source: RFC 6570, levels 1 to 3.
    """
    pattern = "".join(
        _place(piece[1:-1]) if piece.startswith("{") else re.escape(piece)
        for piece in re.split(r"(\{[^{}]*\})", template)
    )
    return re.fullmatch(pattern, uri) is not None


def _place(named: str) -> str:
    sign = named[:1]
    if sign in "+#" or named.endswith("*"):
        return r"[^\s{}]+"
    return _PLACES.get(sign, r"[^/?#\s{}]+")


def _tool(server: McpServer, client: McpClient, offer: Offer, name: str, limit: int) -> BaseTool:
    async def call(values: dict[str, Any]) -> str:
        return await _answer(client, values, offer, limit)

    description = offer.description or offer.name
    if not offer.name.isascii() and offer.name not in description:
        description = f"{offer.name}: {description}"
    return _made(server, name, description, offer.schema, call)


def _reader(server: McpServer, client: McpClient, resources: Mapping[str, Offer], limit: int) -> BaseTool:
    async def read(values: dict[str, Any]) -> str:
        uri = str(values.get("uri", ""))
        offer = resources.get(uri)
        if offer is None or offer.kind == "template":
            offer = next((one for one in templates if fits(one.name, uri)), None)
        if offer is None:
            raise ToolException(
                f"'{cut(uri, 200)}' is none of the approved resources: {', '.join(resources)}."
            )
        return await _answer(client, {"uri": uri}, offer, limit)

    templates = [offer for offer in resources.values() if offer.kind == "template"]

    listed = "; ".join(f"{uri}: {cut(offer.description, 100)}" for uri, offer in list(resources.items())[:20])
    return _made(server, f"{server.name}__{READER}", f"Read one of: {listed}", _RESOURCE, read)


async def _answer(client: McpClient, values: dict[str, Any], offer: Offer, limit: int) -> str:
    try:
        if offer.kind in ("resource", "template"):
            text, is_error = await client.call("resource", values["uri"], {}, offer)
        else:
            text, is_error = await client.call(offer.kind, offer.name, values, offer)
    except MotetError as error:
        raise ToolException(error.message) from error
    if is_error:
        raise ToolException(cut(text, limit))
    return cut(text, limit)


def _made(server: McpServer, name: str, description: str, schema: dict[str, Any], call: Any) -> BaseTool:
    return GivenTool(
        coroutine=call,
        name=name,
        description=description,
        args_schema=schema or {"type": "object", "properties": {}},
        handle_tool_error=True,
        metadata={"effect": server.effect, "class": server.access, "mcp": server.name},
    )
