"""The tools of one tenant's runs: what each is built from, and who tasks can be handed on to.

What does not live here: any tool (`motet.tools`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.graphs.base import DESCRIPTIONS, known_graphs
from motet.tools.base import ToolContext, known_tools
from motet.tools.function import to_tool
from motet.tools.http_api.settings import read_apis
from motet.tools.http_api.tools import http_tools
from motet.tools.limits import read_limits
from motet.tools.making import build_tools
from motet.tools.policy.guard import Guard
from motet.tools.policy.trust import SqlTrustRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.tools import BaseTool

    from motet.app.rooms import Rooms
    from motet.retrieval.base import Retriever
    from motet.runs.queue.base import Claim
    from motet.runs.request import RunOptions
    from motet.settings import Settings, ToolSettings
    from motet.storage.engine import Database
    from motet.tools.policy.table import PolicyTable


def tool_context(
    rooms: Rooms, settings: Settings, options: RunOptions | None, retriever: Retriever | None
) -> ToolContext:
    """Return what the tools of runs with these options are built from."""
    return ToolContext(
        settings.tools,
        retriever,
        egress=rooms.egress,
        sandbox=rooms.sandbox,
        memories=rooms.memories,
        delegates=GraphDelegates(rooms, settings, options),
        functions=settings.functions,
        http_apis=settings.http_api,
        searches=settings.searches,
        given=rooms.given_tools,
    )


async def tools_of(
    rooms: Rooms,
    settings: Settings,
    options: RunOptions | None,
    retriever: Retriever | None,
    names: Sequence[str] | None,
) -> list[BaseTool]:
    """Return the named tools, MCP servers' among them; the usual ones and every server's where none is named."""
    context = tool_context(rooms, settings, options, retriever)
    theirs = rooms.mcp.tools()
    if names is None:
        return [*build_tools(context), *theirs]
    by_name = {tool.name: tool for tool in theirs}
    built = build_tools(context, [name for name in names if name not in by_name])
    return [*built, *(by_name[name] for name in names if name in by_name)]


def tool_names(rooms: Rooms, settings: Settings) -> list[str]:
    """Return the name of every tool that could be built, whether or not it can work with these settings."""
    services = (
        http_tools(read_apis(settings.http_api), rooms.egress, settings.tools) if settings.http_api else []
    )
    given = [to_tool(one, "") for one in rooms.given_tools]
    made = [tool.name for tool in (*services, *given, *rooms.mcp.tools())]
    return [*known_tools(), *settings.functions, *made]


def guard_of(database: Database, claim: Claim, policy: PolicyTable, settings: ToolSettings) -> Guard:
    """Return what decides the tool calls of an attempt of a run, and what they are held to."""
    job = claim.job
    return Guard(
        SqlTrustRows(database, job.tenant_id, job.thread_id),
        policy.layers(job.tenant_id, job.options.permissions),
        agents=policy.agents,
        classes=policy.classes,
        graph=job.graph,
        limits=read_limits(settings),
    )


class GraphDelegates:
    """The graphs of one tenant as those who can be handed a task, with the models and documents of the run."""

    def __init__(self, rooms: Rooms, settings: Settings, options: RunOptions | None) -> None:
        self._rooms = rooms
        self._settings = settings
        self._options = options

    def names(self) -> Mapping[str, str]:
        """See `Delegates.names`."""
        graphs = [*known_graphs(self._settings.graphs), *self._settings.tasks]
        return {name: DESCRIPTIONS.get(name, "") for name in graphs}

    async def graph(self, name: str) -> Any:
        """See `Delegates.graph`."""
        from motet.runs.request import RunOptions  # noqa: PLC0415

        options = self._options or RunOptions()
        graph = await self._rooms.graph(name, options.model_copy(update={"task": None}))
        return graph.copy({"checkpointer": None})  # the run's own, by LangGraph's config
