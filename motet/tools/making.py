"""Makes the tools that runs are given: those of the table, other packages' and the user's own.

What does not live here: the table (`base`), and MCP servers' tools (`mcp`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound, SettingInvalid, did_you_mean
from motet.tools.base import TOOLS, USUAL, known_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext


def build_tools(context: ToolContext, names: Sequence[str] | None = None) -> list[BaseTool]:
    """Build the named tools, in the order of the names; unless named the usual ones and those that are enabled.

    The user's own (`functions`, `http_apis`, `given`) are among the usual ones; none takes a shipped one's place. A
    tool whose `build` returns None cannot work with these settings and is left out.

    Raises:
        NotFound: A name is unknown.
        SettingInvalid: A tool of the user's own cannot be made.
    """
    table = known_tools()
    own = _own_tools(context, table)
    shipped = {*USUAL, *context.settings.enabled()}
    usual = [name for name in table if name in shipped or name not in TOOLS]
    tools: list[BaseTool] = []
    for name in [*usual, *own] if names is None else names:
        if name not in table and name not in own:
            raise NotFound(f"Unknown tool '{name}'.{did_you_mean(name, [*table, *own])}", tool=name)
        tool = own[name] if name in own else _built(name, table[name], context)
        if tool is not None:
            tools.append(tool)
    return tools


def _built(name: str, target: str, context: ToolContext) -> BaseTool | None:
    """Build a tool of the table: by its `build(context)`; another package's may be a function or a LangChain tool."""
    module, _, attribute = target.partition(":")
    if name not in TOOLS:
        return _of_another_package(name, target, context)
    found = getattr(import_module(module), attribute)
    build: Callable[[ToolContext], BaseTool | None] = found
    return build(context)


def _of_another_package(name: str, target: str, context: ToolContext) -> BaseTool | None:
    """Build another package's tool: a function, a LangChain tool, or what its `build(context)` gives.

    Raises:
        SettingInvalid: It cannot be loaded, or is none.
    """
    from motet.tools.function import takes_context, to_tool  # noqa: PLC0415  # read without LangChain

    module, _, attribute = target.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
        return found(context) if takes_context(found) else to_tool(found, name)
    except InvalidInput as error:
        why = error.message
    except (ImportError, AttributeError) as error:
        why = f"it cannot be loaded: {error}."
    raise SettingInvalid(
        f"The tool '{name}' of another package ('{target}', an entry point of motet.tools) is none: {why} "
        "Mend or uninstall that package.",
        setting="motet.tools",
    )


def _own_tools(context: ToolContext, table: Mapping[str, str]) -> dict[str, BaseTool]:
    """Make the tools of the user's own, by name."""
    made: list[BaseTool] = []
    if context.functions:
        from motet.tools.own import own_tool  # noqa: PLC0415

        made += [own_tool(name, entry) for name, entry in context.functions.items()]
    if context.http_apis and context.egress is not None:
        from motet.tools.http_api.settings import read_apis  # noqa: PLC0415
        from motet.tools.http_api.tools import http_tools  # noqa: PLC0415

        made += http_tools(read_apis(context.http_apis), context.egress, context.settings)
    if context.given:
        from motet.tools.function import to_tool  # noqa: PLC0415

        made += [to_tool(one, "") for one in context.given]
    taken = sorted({tool.name for tool in made} & table.keys())
    if taken:
        raise SettingInvalid(
            f"A tool '{taken[0]}' is there already: give yours another name.", setting="functions"
        )
    return {tool.name: tool for tool in made}
