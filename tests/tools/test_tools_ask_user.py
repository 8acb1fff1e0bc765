"""Asking the user: the run waits, and goes on with the answer."""

from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from motet.settings import ToolSettings
from motet.tools.ask_user import build
from motet.tools.base import ToolContext


async def test_the_run_waits_for_the_answer() -> None:
    call: Any = {"name": "ask_user", "args": {"question": "几点？", "choices": ["9", "10"]}, "id": "c"}
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([build(ToolContext(ToolSettings()))]))
    builder.add_edge(START, "tools")
    graph: Any = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}}
    state = await graph.ainvoke({"messages": [AIMessage("", tool_calls=[call])]}, config)
    [asked] = state["__interrupt__"]
    assert asked.value == {"kind": "question", "question": "几点？", "choices": ["9", "10"]}
    state = await graph.ainvoke(Command(resume="10"), config)
    [told] = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert told.content == "10"
