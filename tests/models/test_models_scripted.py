"""The scripted model is an ordinary chat model that says what it is told to, and keeps what it was asked."""

import asyncio
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from motet.errors import ContextOverflow, ModelRefused, ModelUnavailable, NotFound
from motet.models.base import ModelSpec
from motet.models.scripted import (
    Call,
    Reply,
    ScriptedChatModel,
    ScriptedProvider,
    ToolCall,
    count_tokens,
    pieces,
    scripted,
)
from motet.settings import Settings


@tool
def look(word: str) -> str:
    """Look a word up."""
    return word


class Pair(BaseModel):
    left: int


async def test_every_call_is_kept() -> None:
    model = ScriptedChatModel(script=["one", "two"])
    await model.bind_tools([look], tool_choice="any").ainvoke("first")
    await model.ainvoke(
        "second", response_format={"json_schema": {"name": "Pair", "schema": {}}}, max_tokens=5
    )
    first, second = model.calls
    assert (first.user_text, first.tool_names, first.tool_choice) == ("first", ["look"], "any")
    assert (second.schema_name, second.options["max_tokens"]) == ("Pair", 5)


async def test_a_function_answers_by_what_it_is_asked() -> None:
    def answer(call: Call) -> str | ToolCall | Pair:
        if call.schema_name:
            return Pair(left=1)
        return (
            ToolCall("look", {"word": call.user_text})
            if "look" in call.tool_names
            else call.user_text.upper()
        )

    model = scripted(answer).chat
    assert (await model.ainvoke("hi")).text == "HI"
    assert (await model.bind_tools([look]).ainvoke("fish")).tool_calls[0]["args"] == {"word": "fish"}
    assert (await model.ainvoke("hi", response_format=Pair)).text == '{"left":1}'


async def test_streams_in_small_pieces() -> None:
    model = ScriptedChatModel(script=["Hello, 世界!"], piece_chars=3)
    texts = [chunk.text async for chunk in model.astream("hi") if chunk.text]
    assert texts == ["Hel", "lo,", " 世界", "!"]


async def test_a_call_is_streamed_in_pieces_and_comes_together() -> None:
    model = ScriptedChatModel(
        script=[[ToolCall("look", {"word": "fish"}), ToolCall("look", {"word": "cat"})]]
    )
    chunks = [chunk async for chunk in model.astream("hi")]
    assert sum(bool(chunk.tool_call_chunks) for chunk in chunks) > 4
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert [call["args"] for call in total.tool_calls] == [{"word": "fish"}, {"word": "cat"}]
    assert [call["id"] for call in total.tool_calls] == ["call_1_0", "call_1_1"]


async def test_faults_are_motets_errors() -> None:
    model = ScriptedChatModel(
        script=[Reply(fault="context"), Reply(fault="auth"), Reply(fault="server"), RuntimeError("own")]
    )
    for kind in (ContextOverflow, ModelRefused, ModelUnavailable, RuntimeError):
        with pytest.raises(kind):
            await model.ainvoke("hi")


async def test_a_break_shows_half_of_it_first() -> None:
    model = ScriptedChatModel(script=[Reply(text="half of it and no more", fault="break")])
    seen: list[str] = []

    async def listen() -> None:
        async for chunk in model.astream("hi"):
            seen.append(chunk.text)  # noqa: PERF401  # what was seen before the error must be kept

    with pytest.raises(ModelUnavailable, match="broke"):
        await listen()
    assert 0 < len("".join(seen)) < 22


async def test_a_delay_is_waited_and_can_be_cancelled() -> None:
    model = ScriptedChatModel(script=[Reply(text="late", delay_s=30)])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(model.ainvoke("hi"), 0.05)


async def test_usage_is_the_same_each_time() -> None:
    one, two = [(await ScriptedChatModel(script=["same"]).ainvoke("hi")).usage_metadata for _ in range(2)]
    assert one == two
    assert one is not None
    assert one["total_tokens"] == one["input_tokens"] + one["output_tokens"]


def test_sync_code() -> None:
    model = ScriptedChatModel(script=["one", "two"])
    assert model.invoke([HumanMessage("hi")]).text == "one"
    assert "".join(chunk.text for chunk in model.stream("hi")) == "two"


async def test_provider_reads_the_file_in_the_spec(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("[Hello from the file.]", "utf-8")
    provider = ScriptedProvider(settings)
    model = await provider.connect(ModelSpec.parse(f"scripted:{path}"))
    assert (await model.chat.ainvoke("hi")).text == "Hello from the file."
    with pytest.raises(NotFound):
        await provider.connect(ModelSpec.parse(f"scripted:{path}.none"))
    await provider.aclose()


def test_pieces_and_tokens() -> None:
    assert pieces("abcde", 2) == ["ab", "cd", "e"]
    assert pieces("", 2) == []
    assert (count_tokens(""), count_tokens("a" * 40), count_tokens("世" * 4)) == (1, 10, 3)
