"""Finds the tool nodes of other people's graphs and has them keep their calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel

from motet.tools.ledger.keep import keep_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from langgraph.prebuilt.tool_node import ToolCallRequest

MARK = "_motet_keeps_calls"


def keep_calls_of(graph: Any) -> None:
    """Have every tool node of a graph, and of the graphs in it, keep its calls. A second time does nothing.

    The graph given is changed: a node that is found inside a function cannot be replaced. Without a ledger in the
    config, which only Motet's engine puts there, the nodes work as before.
    """
    for node in _tool_nodes(graph, set()):
        if not getattr(node, MARK, False):
            node._awrap_tool_call = _wrap(node)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no public way
            setattr(node, MARK, True)


def _tool_nodes(graph: Any, seen: set[int]) -> Iterator[ToolNode]:
    if not isinstance(graph, Pregel) or id(graph) in seen:
        return
    seen.add(id(graph))
    for node in graph.nodes.values():
        bound: Any = node.bound
        for part in [bound, *getattr(bound, "steps", ())]:
            if isinstance(part, ToolNode):
                yield part
            yield from _tool_nodes(part, seen)
        for inner in node.subgraphs or ():
            yield from _tool_nodes(inner, seen)


def _wrap(node: ToolNode) -> Callable[..., Awaitable[Any]]:
    """Return a wrapper that goes closest to the call, inside the one that the node has."""
    given = node._awrap_tool_call  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    given_sync = node._wrap_tool_call  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if given is keep_call:
        return keep_call
    if given is None and given_sync is None:
        return keep_call

    async def wrapped(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
        async def kept(inner: ToolCallRequest) -> Any:
            return await keep_call(inner, execute)

        if given is not None:
            return await given(request, kept)
        assert given_sync is not None
        loop = asyncio.get_running_loop()

        def from_thread(inner: ToolCallRequest) -> Any:
            return asyncio.run_coroutine_threadsafe(kept(inner), loop).result()

        return await asyncio.to_thread(given_sync, request, from_thread)

    return wrapped
