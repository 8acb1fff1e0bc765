"""A tool-calling agent as a LangGraph graph: model, tools, model, … until it answers.

Used by the graph `chat` and by the worker; usable as a sub-graph anywhere.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict

from motet.agents.ways import Way
from motet.errors import ModelOutputInvalid
from motet.tools.ledger.keep import keep_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from motet.models.base import ConnectedModel

MAX_USELESS_ROUNDS = 2
"""How often in a row a model is told that its calls are none."""

_USELESS = re.compile(r"Error: .* is not a valid tool|Error invoking tool")
"""What LangGraph's tool node answers to such calls."""

SILENT = "nostream"
"""LangGraph's tag for model calls whose text is nobody's answer."""


class ToolAgentState(TypedDict):
    """What the agent is given and gives back."""

    messages: Annotated[list[AnyMessage], add_messages]


def build_tool_agent(
    model: ConnectedModel,
    tools: Sequence[BaseTool],
    system: str,
    *,
    max_turns: int,
    silent: bool = False,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the agent.

    Args:
        model: Answers and chooses tools.
        tools: What it may call; none is fine.
        system: Its instructions.
        max_turns: After so many rounds of tool calls it must answer; so it must when it repeats a call word for word.
        silent: Keep its text out of the answer's stream.

    Returns:
        A graph from `{"messages": [...]}` to `{"messages": [...]}`; the last message is its answer.
    """
    free: Any = model.chat
    bound: Any = model.chat.bind_tools(list(tools)) if tools else free
    tags = [SILENT] if silent else []

    async def call_model(state: ToolAgentState) -> dict[str, Any]:
        messages = state["messages"]
        last = must_answer(messages, max_turns)
        reply = await (free if last else bound).ainvoke([SystemMessage(system), *messages], {"tags": tags})
        if last and reply.tool_calls:
            raise ModelOutputInvalid(
                f"{model.spec} calls tools without end, though it is asked to answer. Ask in another way, or use a "
                f"more capable model.",
                model=str(model.spec),
            )
        return {"messages": [reply]}

    async def after_model(state: ToolAgentState) -> str:
        last = state["messages"][-1]
        return "tools" if isinstance(last, AIMessage) and last.tool_calls else END

    builder = StateGraph(ToolAgentState)
    builder.add_node("model", call_model)
    builder.add_edge(START, "model")
    if tools:
        builder.add_node("tools", ToolNode(list(tools), handle_tool_errors=True, awrap_tool_call=keep_call))
        builder.add_conditional_edges("model", Way(after_model), ["tools", END])
        builder.add_edge("tools", "model")
    return builder.compile()


def must_answer(messages: Sequence[BaseMessage], max_turns: int) -> bool:
    """Say whether the tools are used up: too many rounds in this turn, or the last call was made before."""
    since = max((i for i, m in enumerate(messages) if m.type == "human"), default=0)
    calls = [
        [(call["name"], json.dumps(call["args"], sort_keys=True)) for call in m.tool_calls]
        for m in messages[since:]
        if isinstance(m, AIMessage) and m.tool_calls
    ]
    if len(calls) >= max_turns or _useless_rounds(messages[since:]) >= MAX_USELESS_ROUNDS:
        return True
    earlier = {call for round_ in calls[:-1] for call in round_}
    return bool(calls) and all(call in earlier for call in calls[-1])


def _useless_rounds(messages: Sequence[BaseMessage]) -> int:
    """Count the newest rounds in which no call named a tool that is there, with arguments that it takes."""
    count = 0
    useless: list[bool] = []
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            useless.append(message.status == "error" and bool(_USELESS.match(message.text)))
        elif isinstance(message, AIMessage) and message.tool_calls:
            if not useless or not all(useless):
                break
            count, useless = count + 1, []
    return count


def results_of_turn(messages: Sequence[BaseMessage]) -> list[ToolMessage]:
    """Return the tools' results since the newest user's message."""
    since = max((i for i, m in enumerate(messages) if m.type == "human"), default=0)
    return [m for m in messages[since:] if isinstance(m, ToolMessage)]
