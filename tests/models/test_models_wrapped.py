"""A wrapped model's own run stays hidden, and its stream ends when the reader does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from pydantic import Field

from motet.models.scripted import Reply, ScriptedChatModel, ToolCall
from motet.models.wrapped import as_chunk, inner_chunks, inner_chunks_now


def test_a_whole_message_becomes_the_last_chunk() -> None:
    call = {"name": "look", "args": {"word": "fish"}, "id": "1"}
    chunk = as_chunk(AIMessage("hi", tool_calls=[call], id="m", response_metadata={"finish_reason": "stop"}))
    assert (chunk.text, chunk.id, chunk.chunk_position) == ("hi", "m", "last")
    assert [(c["name"], c["args"]) for c in chunk.tool_calls] == [("look", {"word": "fish"})]
    same = AIMessageChunk(content="hi")
    assert as_chunk(same) is same


async def test_a_whole_message_with_calls_survives_being_merged() -> None:
    call = {"name": "look", "args": {"word": "fish"}, "id": "1"}
    inner = FakeMessagesListChatModel(responses=[AIMessage("hi", tool_calls=[call])])
    chunks = [chunk async for chunk in inner_chunks(inner, [HumanMessage("?")], {})]
    total = chunks[0] + AIMessageChunk(content="")
    assert [(c["name"], c["args"]) for c in total.tool_calls] == [("look", {"word": "fish"})]


async def test_callbacks_of_the_run_around_it_do_not_see_it() -> None:
    seen: list[str] = []

    class Listen(AsyncCallbackHandler):
        async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            seen.append("model")

        async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            seen.append("chain")

    async def run(_: str) -> str:
        inner = ScriptedChatModel(script=["a", "b"])
        texts = [chunk.text async for chunk in inner_chunks(inner, [HumanMessage("?")], {})]
        return "".join([*texts, *(chunk.text for chunk in inner_chunks_now(inner, [HumanMessage("?")], {}))])

    assert await RunnableLambda(run).ainvoke("x", {"callbacks": [Listen()]}) == "ab"
    assert seen == ["chain"]


@pytest.mark.parametrize(
    "reply", ["a long answer in many pieces", ToolCall("look", {"word": "fish"}, "c1"), ""]
)
async def test_own_models_are_read_as_langchain_reads_them(reply: Any) -> None:
    inner = ScriptedChatModel(script=[reply, reply])
    asked: list[BaseMessage] = [HumanMessage("?")]
    options: dict[str, Any] = {"stop": ["never"], "ls_structured_output_format": {"kwargs": {}, "schema": {}}}
    theirs = [as_chunk(chunk) async for chunk in inner.astream(asked, **options)]
    ours = [chunk async for chunk in inner_chunks(inner, asked, options)]
    whole, told = add_ai_message_chunks(*theirs), add_ai_message_chunks(*ours)
    assert told.model_dump() == {**whole.model_dump(), "id": None}
    assert whole.response_metadata.get("finish_reason") or whole.text == ""


class Heard(ScriptedChatModel):
    """Keeps the options that its stream is asked with."""

    options: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])

    async def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        self.options.append(kwargs)
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk


async def test_own_models_get_the_options_that_langchain_gives_them() -> None:
    inner, asked = Heard(script=["a", "b"]), list[BaseMessage]([HumanMessage("?")])
    options = {
        "stop": ["never"],
        "temperature": 0.5,
        "ls_structured_output_format": {"kwargs": {}, "schema": {}},
    }
    assert [chunk async for chunk in inner_chunks(inner, asked, options)]
    [ours] = inner.options
    assert ours == {"stop": ["never"], "temperature": 0.5}


async def test_own_model_that_is_not_to_stream_gives_a_whole_message() -> None:
    inner = ScriptedChatModel(script=["a long answer in many pieces"], disable_streaming=True)
    [chunk] = [chunk async for chunk in inner_chunks(inner, [HumanMessage("?")], {})]
    assert chunk.text == "a long answer in many pieces"


async def test_closing_early_closes_the_inner_stream() -> None:
    closed: list[bool] = []

    class Watched(ScriptedChatModel):
        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
            try:
                async for chunk in super()._astream(*args, **kwargs):
                    yield chunk
            finally:
                closed.append(True)

    stream = inner_chunks(Watched(script=[Reply("word " * 50)]), [HumanMessage("?")], {})
    await anext(stream)
    await stream.aclose()
    assert closed == [True]
