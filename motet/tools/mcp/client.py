"""Talks to one MCP server: what it offers, and one call.

What does not live here: which of its offers are approved (`pins`), the tools that are made of them (`tools`), and
which sessions are kept (`sessions`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.errors import ExtraMissing, MotetError, ToolFailed
from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from motet.egress.client import Egress
    from motet.tools.mcp.servers import McpServer
    from motet.tools.mcp.sessions import McpSessions

_MAX_PAGES = 20
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a server offers, as it describes it."""

    kind: str
    """`tool`, `resource`, `template` (of resources) or `prompt`."""
    name: str
    """A resource's is its URI, a template's the URI with its places."""
    description: str
    schema: dict[str, Any]
    """JSON Schema of a tool's arguments."""


class McpClient:
    """Opens sessions with one server."""

    def __init__(
        self,
        server: McpServer,
        egress: Egress,
        *,
        timeout_s: float = 30.0,
        sessions: McpSessions | None = None,
    ) -> None:
        """Wire it; with `sessions` a session is kept for the calls after it, else each call has one of its own."""
        self._server = server
        self._sessions = sessions
        self._egress = egress
        self._timeout_s = timeout_s

    async def offers(self) -> list[Offer]:
        """Return everything that the server offers.

        Raises:
            ToolFailed: It cannot be reached, or breaks the protocol.
            EgressRefused: Its address may not be called.
        """
        with self._explained():
            async with asyncio.timeout(self._timeout_s), self._open() as session:
                return await _offers(session)
        raise AssertionError

    async def call(
        self, kind: str, name: str, arguments: dict[str, Any], offer: Offer | None
    ) -> tuple[str, bool]:
        """Use one thing that the server offers.

        Args:
            kind: `tool`, `resource` or `prompt`.
            name: The thing's name, a resource's URI.
            arguments: A tool's or a prompt's.
            offer: What was approved; the server must offer the very same, or nothing is called.

        Returns:
            The text, and whether it is an error of the tool's.

        Raises:
            ToolFailed: The offer has changed, or the server cannot be reached.
        """
        with self._explained():
            async with asyncio.timeout(self._timeout_s), self._ready(offer, name) as session:
                return await _called(session, kind, name, arguments)
        raise AssertionError

    @contextlib.asynccontextmanager
    async def _ready(self, offer: Offer | None, name: str) -> AsyncIterator[Any]:
        """Give a session in which the server offers the very same as was approved.

        A kept session whose server is gone is opened anew: nothing was called in it yet.
        """
        if self._sessions is None:
            async with self._open() as session:
                self._check(offer, name, await _offers(session) if offer is not None else [])
                yield session
            return
        for is_last in (False, True):
            was_there = False
            async with contextlib.AsyncExitStack() as stack:
                try:
                    session, was_there = await stack.enter_async_context(
                        self._sessions.use(self._server.name, self._open)
                    )
                    offers = await _offers(session) if offer is not None else []
                except Exception:
                    if is_last or not was_there:
                        raise
                    continue
                self._check(offer, name, offers)
                yield session
                return

    def _check(self, offer: Offer | None, name: str, offers: list[Offer]) -> None:
        if offer is not None and offer not in offers:
            raise ToolFailed(
                f"The MCP server '{self._server.name}' describes '{name}' otherwise than when it was approved: it "
                f"is not called. An operator looks at it with 'motet tools approve {self._server.name}'.",
                tool=name,
            )

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        try:
            import mcp  # noqa: PLC0415  # an extra
        except ImportError:
            raise ExtraMissing("MCP servers need the extra mcp: pip install 'motet[mcp]'.") from None
        try:
            yield
        except BaseExceptionGroup as group:
            raise self._explain(_first(group)) from None
        except (TimeoutError, OSError, mcp.MCPError) as error:
            raise self._explain(error) from None

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[Any]:
        """Open a session; it must be closed by the task that opened it."""
        import mcp  # noqa: PLC0415

        with self._explained():
            async with self._streams() as (read, write), mcp.ClientSession(read, write) as session:
                async with asyncio.timeout(self._timeout_s):
                    await session.initialize()
                yield session

    @contextlib.asynccontextmanager
    async def _streams(self) -> AsyncIterator[Any]:
        if self._server.command:
            from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

            program, *arguments = self._server.command
            environment = child_environment()
            known = {name: environment[name] for name in _PASSED_ON if name in environment}
            parameters = StdioServerParameters(
                command=program, args=arguments, env={**known, **self._server.env}
            )
            with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230, PTH123  # a server's chatter
                async with stdio_client(parameters, errlog=nowhere) as streams:
                    yield streams
        else:
            import httpx2  # noqa: PLC0415  # comes with the extra
            from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

            async with (
                httpx2.AsyncClient(
                    transport=self._egress.transport(httpx2),
                    headers=dict(self._server.headers),
                    timeout=httpx2.Timeout(self._timeout_s),
                    trust_env=False,
                ) as http,
                streamable_http_client(self._server.url, http_client=http) as streams,
            ):
                yield streams[0], streams[1]

    def _explain(self, error: BaseException) -> BaseException:
        if isinstance(error, MotetError) or not isinstance(error, Exception):
            return error
        if isinstance(error, TimeoutError):
            return ToolFailed(
                f"The MCP server '{self._server.name}' did not answer within {self._timeout_s:g} s."
            )
        reason = (str(error) or type(error).__name__)[:200]
        return ToolFailed(f"The MCP server '{self._server.name}' cannot be used: {reason}.")


async def _called(session: Any, kind: str, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    if kind == "resource":
        read = await session.read_resource(name)
        return "\n".join(getattr(part, "text", "(binary)") for part in read.contents), False
    if kind == "prompt":
        got = await session.get_prompt(name, {key: str(value) for key, value in arguments.items()})
        return "\n".join(f"{message.role}: {_text(message.content)}" for message in got.messages), False
    result = await session.call_tool(name, arguments)
    return "\n".join(_text(part) for part in result.content), bool(result.is_error)


async def _offers(session: Any) -> list[Offer]:
    found: list[Offer] = []
    can = getattr(session, "server_capabilities", None) or session.get_server_capabilities()
    if can is None or can.tools:
        tools = await _pages(session.list_tools, "tools")
        found += [Offer("tool", t.name, t.description or "", dict(t.input_schema)) for t in tools]
    if can is not None and can.resources:
        resources = await _pages(session.list_resources, "resources")
        found += [Offer("resource", str(r.uri), r.description or r.name or "", {}) for r in resources]
        templates = await _templates(session)
        found += [Offer("template", t.uri_template, t.description or t.name or "", {}) for t in templates]
    if can is not None and can.prompts:
        prompts = await _pages(session.list_prompts, "prompts")
        found += [Offer("prompt", p.name, p.description or "", _prompt_schema(p)) for p in prompts]
    return found


async def _templates(session: Any) -> list[Any]:
    """Return the templates of resources; none of a server that has resources and knows no templates."""
    import mcp  # noqa: PLC0415

    try:
        return await _pages(session.list_resource_templates, "resource_templates")
    except mcp.MCPError as error:
        if error.code != mcp.types.METHOD_NOT_FOUND:
            raise
        return []


async def _pages(ask: Any, field: str) -> list[Any]:
    from mcp.types import PaginatedRequestParams  # noqa: PLC0415

    found: list[Any] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await ask(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        found += getattr(page, field)
        cursor = page.next_cursor
        if not cursor:
            break
    return found


def _prompt_schema(prompt: Any) -> dict[str, Any]:
    properties = {
        a.name: {"type": "string", "description": a.description or ""} for a in prompt.arguments or ()
    }
    needed = [a.name for a in prompt.arguments or () if a.required]
    return {"type": "object", "properties": properties, "required": needed}


def _text(part: Any) -> str:
    """Return a part's text, that of a resource in it too, and of a link where it leads."""
    for held in (part, getattr(part, "resource", None)):
        if isinstance(text := getattr(held, "text", None), str):
            return text
    if uri := getattr(part, "uri", None):
        return f"{getattr(part, 'name', None) or 'resource'}: {uri}"
    return f"({getattr(part, 'type', 'something')} that is no text)"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error at the bottom of a group, Motet's own first."""
    found: list[BaseException] = []
    todo: list[BaseException] = [group]
    while todo:
        error = todo.pop()
        if isinstance(error, BaseExceptionGroup):
            todo.extend(error.exceptions)
        else:
            found.append(error)
    return next((error for error in found if isinstance(error, MotetError)), found[0])
