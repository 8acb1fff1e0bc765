"""Handing a task on to another graph, inside the run: its checkpoints, budget, ledger, rules and taint are this run's.

What does not live here: how the graph is built (the app). What the other one does is kept call by call, so a crash
in the middle repeats nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from motet.errors import NotFound, ToolFailed, did_you_mean
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.tools.base import Delegates, ToolContext

DEPTH_KEY = "motet_delegate_depth"
"""Where the depth is in a config's `configurable`."""


class Arguments(BaseModel):
    """What the tool is given."""

    to: str = Field(description="Who is to do it", min_length=1, max_length=100)
    task: str = Field(
        description="The whole task: the other one knows nothing else", min_length=1, max_length=8000
    )


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None where there is nobody, or `tools.delegate_depth` is 0."""
    others, settings = context.delegates, context.settings
    if others is None or not settings.delegate_depth:
        return None
    names = others.names()

    async def delegate(to: str, task: str) -> str:
        if to not in names:
            raise NotFound(f"There is no '{cut(to, 60)}'.{did_you_mean(to, names)}")
        return cut(await _hand_on(others, to, task, settings.delegate_depth), settings.max_output_chars)

    listed = "; ".join(f"{name}: {what}" if what else name for name, what in names.items())
    return as_tool(
        delegate,
        name="delegate",
        description=f"Hand a whole task on to another agent and get its answer. {cut(listed, 600)}.",
        arguments=Arguments,
        access="read",
        # In turns, and without limits of its own: what it waits for has them. What is read in it taints this very run.
        extra={"asks": True, "trust": "trusted"},
    )


async def _hand_on(others: Delegates, to: str, task: str, most: int) -> str:
    from langchain_core.messages import AIMessage, HumanMessage  # noqa: PLC0415  # the table is read without LangChain
    from langchain_core.runnables.config import ensure_config  # noqa: PLC0415
    from langgraph.constants import TAG_NOSTREAM  # noqa: PLC0415

    depth = int((ensure_config().get("configurable") or {}).get(DEPTH_KEY, 0))
    if depth >= most:
        raise ToolFailed(
            f"Tasks are handed on {most} times at most: do this one yourself with what you have.",
            tool="delegate",
        )
    graph = await others.graph(to)
    state: Any = await graph.ainvoke(
        {"messages": [HumanMessage(task)]},
        {"tags": [TAG_NOSTREAM], "configurable": {DEPTH_KEY: depth + 1}},
    )
    messages: list[Any] = state.get("messages") or [] if isinstance(state, dict) else []
    answer = next((m for m in reversed(messages) if isinstance(m, AIMessage) and m.text.strip()), None)
    if answer is None:
        raise ToolFailed(f"'{to}' gave no answer.", tool="delegate")
    return str(answer.text).strip()
