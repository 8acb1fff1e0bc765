"""A wrapped model's own run stays hidden, and its stream ends when the reader does."""

from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda

from motet.models.scripted import Reply, ScriptedChatModel
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
