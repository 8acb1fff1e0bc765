"""Graphs that a server of LangGraph's own and Motet can both serve, so that their answers can be compared.

They use LangGraph and langchain-core alone, and every reply is a function of the input.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from operator import add
from typing import Annotated, Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Parrot(BaseChatModel):
    """Says back what it was told, word by word; it calls `add` when it is told to add two numbers."""

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1]
        words = str(last.text).split()
        if isinstance(last, ToolMessage):
            return AIMessage(content=f"The sum is {last.text}.")
        if words[:1] == ["add"]:
            call = {"name": "add", "args": {"a": int(words[1]), "b": int(words[2])}, "id": "call_1"}
            return AIMessage(content="", tool_calls=[call])
        return AIMessage(content="You said " + " ".join(words))

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages)
        if reply.tool_calls:
            yield ChatGenerationChunk(
                message=AIMessageChunk(
                    content="",
                    tool_call_chunks=[
                        {"name": "add", "args": '{"a": 2, "b": 3}', "id": "call_1", "index": 0}
                    ],
                )
            )
            return
        for number, word in enumerate(str(reply.content).split(" ")):
            yield ChatGenerationChunk(message=AIMessageChunk(content=(" " if number else "") + word))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk


async def model(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await Parrot().ainvoke(state["messages"])]}


async def tools(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    get_stream_writer()({"calls": len(last.tool_calls)})
    return {
        "messages": [
            ToolMessage(
                str(call["args"]["a"] + call["args"]["b"]),
                name="add",
                tool_call_id=call["id"] or "",
            )
            for call in last.tool_calls
        ]
    }


def has_calls(state: MessagesState) -> str:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) and last.tool_calls else END


class Context(TypedDict, total=False):
    """What a caller may say about itself."""

    who: str


def build_agent() -> Any:
    """An agent with a tool: model, tools, model."""
    builder = StateGraph(MessagesState, context_schema=Context)
    builder.add_node("model", model)
    builder.add_node("tools", tools)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", has_calls, ["tools", END])
    builder.add_edge("tools", "model")
    return builder.compile()


class Notes(TypedDict, total=False):
    """State without messages."""

    notes: Annotated[list[str], add]
    total: int


async def first(state: Notes, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    who = (runtime.context or {}).get("who", "nobody")
    level = (config.get("configurable") or {}).get("level", "none")
    return {"notes": [f"first for {who} at {level}"], "total": state.get("total", 0) + 1}


async def second(state: Notes) -> dict[str, Any]:
    return {"notes": ["second"], "total": state.get("total", 0) + 10}


def build_notes() -> Any:
    """Two nodes in a row, over a state without messages."""
    builder = StateGraph(Notes, context_schema=Context)
    builder.add_node("first", first)  # pyright: ignore[reportArgumentType]
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    builder.add_edge("second", END)
    return builder.compile()


class Loose(TypedDict, total=False):
    """State that takes anything."""

    notes: Annotated[list[Any], add]


async def nothing(state: Loose) -> dict[str, Any]:
    return {}


def build_loose() -> Any:
    """Does nothing, over a state that takes anything."""
    builder = StateGraph(Loose)
    builder.add_node("nothing", nothing)
    builder.add_edge(START, "nothing")
    builder.add_edge("nothing", END)
    return builder.compile()


async def question(state: Notes) -> dict[str, Any]:
    answer = interrupt({"question": "really?"})
    return {"notes": [f"you said {answer}"]}


def build_ask() -> Any:
    """Asks a person in its second node."""
    builder = StateGraph(Notes)
    builder.add_node("second", second)
    builder.add_node("question", question)
    builder.add_edge(START, "second")
    builder.add_edge("second", "question")
    builder.add_edge("question", END)
    return builder.compile()


def build_nested() -> Any:
    """An agent as a node of another graph."""
    builder = StateGraph(MessagesState)
    builder.add_node("inner", build_agent())
    builder.add_edge(START, "inner")
    builder.add_edge("inner", END)
    return builder.compile()


async def broken(state: Notes) -> dict[str, Any]:
    raise ValueError("no luck")


def build_fail() -> Any:
    """Fails in its second node."""
    builder = StateGraph(Notes)
    builder.add_node("second", second)
    builder.add_node("broken", broken)
    builder.add_edge(START, "second")
    builder.add_edge("second", "broken")
    builder.add_edge("broken", END)
    return builder.compile()


async def forever(state: Notes) -> dict[str, Any]:
    await asyncio.sleep(600)
    return {"notes": ["too late"]}


def build_slow() -> Any:
    """Has one quick node and one that takes ten minutes."""
    builder = StateGraph(Notes)
    builder.add_node("second", second)
    builder.add_node("forever", forever)
    builder.add_edge(START, "second")
    builder.add_edge("second", "forever")
    builder.add_edge("forever", END)
    return builder.compile()


STEPS = 20


async def step(state: Notes) -> dict[str, Any]:
    await asyncio.sleep(0.02)
    return {"notes": [f"step {state.get('total', 0)}"], "total": state.get("total", 0) + 1}


def build_steps() -> Any:
    """Takes twenty short steps."""
    builder = StateGraph(Notes)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    builder.add_conditional_edges(
        "step", lambda state: "step" if state["total"] < STEPS else END, ["step", END]
    )
    return builder.compile()
