"""A chat graph with one tool call over a model without latency; imports nothing of Motet's.

The model is in the process, or LangChain's client for OpenAI's wire, where `BENCH_MODEL_URL` names a server.
"""

from __future__ import annotations

import os
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import SecretStr


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


class Model(BaseChatModel):
    """Calls the tool, then answers."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        del args, kwargs
        if messages[-1].type == "tool":
            message = AIMessage("It is 42.")
        else:
            message = AIMessage(
                "", tool_calls=[{"name": "multiply", "args": {"a": 6, "b": 7}, "id": "call_1"}]
            )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages, *args, **kwargs)


def _over_the_wire(url: str) -> Any:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415

    return ChatOpenAI(model="scripted", base_url=url, api_key=SecretStr("none")).bind_tools([multiply])


def build() -> Any:
    """Build the graph."""
    url = os.environ.get("BENCH_MODEL_URL")  # noqa: TID251  # this file is no part of Motet
    model: Any = _over_the_wire(url) if url else Model()

    async def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def after(state: MessagesState) -> str:
        return "tools" if getattr(state["messages"][-1], "tool_calls", None) else END

    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent)
    builder.add_node("tools", ToolNode([multiply]))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", after, ["tools", END])
    builder.add_edge("tools", "agent")
    return builder.compile()


graph = build()
