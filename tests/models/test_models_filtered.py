"""Nobody sees text that the filter did not let through: not the caller, not a callback, not LangGraph's stream."""

from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from motet.models.filtered import StreamFilterModel
from motet.models.scripted import ScriptedChatModel, ToolCall


class DropSecret:
    """Takes the word `secret` out, however it is cut, and ends every answer with a full stop."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        self._held += text
        self._held = self._held.replace("secret", "")
        keep = next((n for n in range(6, 0, -1) if self._held.endswith("secret"[:n])), 0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def finish(self) -> str:
        return self._held + "."


@tool
def look(word: str) -> str:
    """Look a word up."""
    return word


def filtered(*replies: Any) -> StreamFilterModel:
    return StreamFilterModel(inner=ScriptedChatModel(script=list(replies)), make_filter=DropSecret)


async def test_whole_answers_are_filtered() -> None:
    assert (await filtered("a secret plan").ainvoke("hi")).text == "a  plan."
    assert filtered("a secret plan").invoke("hi").text == "a  plan."


async def test_streamed_answers_are_filtered_and_end_once() -> None:
    model = filtered("a secret plan, secr")
    chunks = [chunk async for chunk in model.astream("hi")]
    assert "".join(chunk.text for chunk in chunks) == "a  plan, secr."
    assert [chunk.chunk_position for chunk in chunks].count("last") == 1
    assert chunks[-1].chunk_position == "last"
    assert "".join(chunk.text for chunk in filtered("a secret plan").stream("hi")) == "a  plan."


async def test_every_answer_has_a_filter_of_its_own() -> None:
    model = filtered("one secr", "et two")
    assert [(await model.ainvoke("hi")).text for _ in range(2)] == ["one secr.", "et two."]


async def test_callbacks_see_filtered_text_once() -> None:
    seen: list[str] = []
    starts: list[str] = []

    class Listen(AsyncCallbackHandler):
        async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            starts.append("start")

        async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            seen.append(str(token))

        async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            seen.append("|" + response.generations[0][0].text)

    async for _ in filtered("a secret plan").astream("hi", {"callbacks": [Listen()]}):
        pass
    assert "".join(seen) == "a  plan.|a  plan."
    assert starts == ["start"]


async def test_langgraphs_message_stream_is_filtered() -> None:
    model = filtered("a secret plan")

    async def answer(state: MessagesState) -> dict[str, list[AnyMessage]]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    texts: list[str] = []
    async for message, _ in graph.compile().astream(
        {"messages": [HumanMessage("hi")]}, stream_mode="messages"
    ):
        assert isinstance(message, AIMessageChunk)
        texts.append(message.text)
    assert "".join(texts) == "a  plan."


async def test_tool_calls_usage_and_metadata_pass() -> None:
    model = filtered(ToolCall("look", {"word": "secret"}))
    reply = await model.bind_tools([look]).ainvoke("hi")
    assert reply.tool_calls[0]["args"] == {"word": "secret"}
    assert reply.usage_metadata is not None
    assert reply.response_metadata["finish_reason"] == "tool_calls"
    assert isinstance(model.inner, ScriptedChatModel)
    assert model.inner.calls[0].tool_names == ["look"]


async def test_content_blocks_are_filtered() -> None:
    blocks: list[str | dict[Any, Any]] = [{"type": "text", "text": "a secret"}, {"type": "image", "url": "x"}]
    inner = FakeMessagesListChatModel(responses=[AIMessage(content=blocks)])
    model = StreamFilterModel(inner=inner, make_filter=DropSecret)
    assert (await model.ainvoke("hi")).content == [
        {"type": "text", "text": "a "},
        {"type": "image", "url": "x"},
        {"type": "text", "text": "."},
    ]


async def test_a_model_that_cannot_stream_is_filtered_too() -> None:
    inner = FakeMessagesListChatModel(responses=[AIMessage("a secret plan")])
    model = StreamFilterModel(inner=inner, make_filter=DropSecret)
    assert "".join([chunk.text async for chunk in model.astream("hi")]) == "a  plan."


async def test_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="boom"):
        await filtered(RuntimeError("boom")).ainvoke("hi")
