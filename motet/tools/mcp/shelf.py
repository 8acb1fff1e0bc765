"""The MCP servers of one Motet: what is approved of each, and how an operator approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.errors import NotFound, did_you_mean
from motet.tools.mcp.client import McpClient
from motet.tools.mcp.pins import Pins, changes
from motet.tools.mcp.servers import read_servers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from langchain_core.tools import BaseTool

    from motet.egress.client import Egress
    from motet.settings import ToolSettings
    from motet.tools.mcp.client import Offer
    from motet.tools.mcp.sessions import McpSessions


class McpShelf:
    """The servers of `[mcp]`, and the file of what was approved."""

    def __init__(self, raw: Mapping[str, Any], home: Path, egress: Egress, settings: ToolSettings) -> None:
        self.servers = read_servers(raw)
        self._pins = Pins(home)
        self._egress = egress
        self._settings = settings
        self._sessions: McpSessions | None = None

    def tools(self) -> list[BaseTool]:
        """Return the tools of what was approved; nothing is started or called."""
        from motet.tools.mcp.tools import mcp_tools  # noqa: PLC0415  # the shelf is read without LangChain

        if not self.servers:
            return []
        if self._sessions is None:
            from motet.tools.mcp.sessions import McpSessions  # noqa: PLC0415

            self._sessions = McpSessions()
        return mcp_tools(self.servers, self._pins, self._egress, self._settings, self._sessions)

    async def aclose(self) -> None:
        """Close the sessions with its servers."""
        if self._sessions is not None:
            await self._sessions.aclose()

    async def look(self, name: str) -> list[tuple[str, Offer]]:
        """Ask a server what it offers; return what is `new`, `changed`, `same` or `gone` since it was approved.

        Raises:
            NotFound: There is no such server.
            ToolFailed: It cannot be used.
        """
        if name not in self.servers:
            known = did_you_mean(name, self.servers) or " Your own settings file has no table [mcp.NAME]."
            raise NotFound(f"There is no MCP server '{name}'.{known}", server=name)
        now = await McpClient(self.servers[name], self._egress, timeout_s=self._settings.timeout_s).offers()
        return changes(self._pins.approved(name), now)

    def approve(self, name: str, offers: Sequence[Offer]) -> None:
        """Store that these offers of a server were looked at; others of it are no tools any more."""
        self._pins.approve(name, offers)
