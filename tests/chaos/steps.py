"""A graph of six short steps, each of which orders an item: what plain LangGraph and Motet are compared with.

The shape is that of the first measurement of plain LangGraph: six nodes of 4 ms, and a kill 0 to 85 ms after the
call. A run is then short beside the moments at which something can be lost or done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

from motet.tools.base import ToolContext
from motet.tools.ledger.keep import call_tool
from tests.chaos.model import ORDER
from tests.chaos.tools import build_book, deliver

STEPS = 6
STEP_S = 0.004

KILL_WITHIN_S = 0.085


def items_of(marker: str) -> list[str]:
    """Return every item that a run orders."""
    return [f"{marker}/{number}" for number in range(1, STEPS + 1)]


def build(act: Callable[[str], Awaitable[Any]]) -> Any:
    """Build the graph; `act` orders an item. It is not compiled."""

    def step(number: int) -> Any:
        async def run(state: MessagesState) -> dict[str, Any]:
            found = ORDER.search(state["messages"][-1].text)
            assert found is not None
            await act(f"{found.group(1)}/{number}")
            await asyncio.sleep(STEP_S)
            return {}

        return run

    async def end(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"Done: {state['messages'][-1].text}")]}

    builder: Any = StateGraph(MessagesState)
    names = [f"step{number}" for number in range(1, STEPS + 1)]
    for number, name in enumerate(names, 1):
        builder.add_node(name, step(number))
    builder.add_node("end", end)
    for source, target in zip([START, *names], [*names, "end"], strict=True):
        builder.add_edge(source, target)
    return builder


def build_plain() -> Any:
    """Build it as plain LangGraph: a node does what it does."""
    return build(lambda item: deliver(item, ""))


def build_steps() -> Any:
    """Build it for Motet: a node calls the tool through the run's ledger."""
    book = build_book(ToolContext(None, None))  # pyright: ignore[reportArgumentType]  # it looks at neither
    return build(lambda item: call_tool(book, {"item": item}))
