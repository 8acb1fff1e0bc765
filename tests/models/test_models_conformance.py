"""What every model must do, whatever is behind it: in process, over a real socket, and the embedded one.

A new provider gets one line in `VOICES`. The scripted voices answer by a small function, so that the same questions
can be put to a real model.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from pydantic import BaseModel

from motet.errors import ContextOverflow, ModelError, ModelRefused, ModelUnavailable
from motet.models.base import ConnectedModel, ModelSpec, Provider
from motet.models.probe_table import red_square
from motet.models.roles import Models
from motet.models.scripted import Call, Reply, ToolCall, scripted
from motet.models.scripted_server import ScriptedServer, Support
from motet.models.structured import ask_json
from motet.models.wrapped import reasoning_of
from motet.settings import Settings


@tool
def calculator(expression: str) -> str:
    """Work out an arithmetic expression, e.g. 12*(3+4)."""
    return expression


@tool
def now(timezone: str = "UTC") -> str:
    """Current date and time."""
    return timezone


TOOLS = [calculator, now]


class Person(BaseModel):
    name: str
    age: int


def answer(call: Call) -> Any:
    """Answer the questions of this file as a good model would."""
    result = call.tool_result
    last = result.text if result else call.messages[-1].text
    shown = re.search(r"(?:Result of \w+: )(.*)", last)
    if result or shown:
        return f"The result is {shown.group(1) if shown else last}."
    if len(call.user_text) > 40_000:
        return Reply(fault="context")
    if call.images:
        return "The picture is red."
    if "step by step" in call.user_text:
        return Reply(text="91 is 7 times 13.", reasoning="7 times 13 is 91.")
    if "as JSON" in call.user_text:
        return Person(name="Maria", age=34)
    if "count" in call.user_text:
        return Reply(text=" ".join(str(n) for n in range(1, 200)), piece_delay_s=0.01)
    offered = call.tools or call.schema or "Tools:" in call.system_text
    if offered and re.search(r"\d", call.user_text):
        calls = [
            ToolCall("calculator", {"expression": found}) for found in re.findall(r"\d+\*\d+", call.user_text)
        ]
        return calls if call.tools else calls[0]
    if forced := _forced(call):
        return ToolCall(forced, {} if forced == "now" else {"expression": "1"})
    return "ahoy" if "ahoy" in call.system_text else "Hello there, how can I help?"


def _forced(call: Call) -> str:
    """Return the tool that must be called, from `tool_choice`, or from the schema or prompt that leave nothing else."""
    choice = call.tool_choice
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    if choice in ("any", "required"):
        return call.tool_names[0]
    if choice in call.tool_names:
        return str(choice)
    branches = call.schema.get("anyOf") or [call.schema]
    names = [str(branch.get("properties", {}).get("tool", {}).get("const", "")) for branch in branches]
    if "You use a tool" in call.system_text:
        names = re.findall(r"^- (\w+)\(", call.system_text, re.MULTILINE)
    return "" if "none" in names else names[0]


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncGenerator[ConnectedModel]:
    yield scripted(answer)


def over_the_wire(
    tools: Support = "yes", json_schema: Support | Literal["guided"] = "yes", wire: str = "chat"
) -> Callable[[Settings], AbstractAsyncContextManager[ConnectedModel]]:
    @asynccontextmanager
    async def connect(settings: Settings) -> AsyncGenerator[ConnectedModel]:
        async with ScriptedServer(
            answer,
            tools=tools,
            json_schema=json_schema,
            context_tokens=4000,
            images=wire != "chat" or tools == "yes",
        ) as server:
            models = Models(settings.replace(models__wire=wire))
            try:
                yield await models.chat("fast", f"test:scripted@{server.base_url}")
            finally:
                await models.aclose()

    return connect


VOICES: dict[str, Callable[[Settings], AbstractAsyncContextManager[ConnectedModel]]] = {
    "in process": in_process,
    "wire, native tools": over_the_wire(),
    "wire, responses": over_the_wire(wire="responses"),
    "wire, tools by schema": over_the_wire(tools="refused"),
    "wire, tools by its own schema field": over_the_wire(tools="refused", json_schema="guided"),
    "wire, tools by prompt": over_the_wire(tools="ignored", json_schema="ignored"),
}
"""Each voice that needs nothing but itself; `embedded` is the process that the tests share."""

REAL = ("embedded", "vllm")
"""Voices whose answers are a real model's own."""


@pytest.fixture(
    params=[
        *VOICES,
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("vllm", marks=pytest.mark.vllm),
    ]
)
def voice(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def model(
    voice: str, settings: Settings, request: pytest.FixtureRequest
) -> AsyncIterator[ConnectedModel]:
    if voice == "embedded":
        provider: Provider = request.getfixturevalue("embedded_provider")
        yield await provider.connect(ModelSpec("embedded"))
        return
    if voice == "vllm":
        models = Models(settings.replace(models__vllm_base_url=request.getfixturevalue("vllm_url")))
        yield await models.chat("fast", "vllm:local")
        await models.aclose()
        return
    async with VOICES[voice](settings) as connected:
        yield connected


async def streamed(runnable: Any, prompt: Any) -> tuple[AIMessageChunk, list[str]]:
    total: AIMessageChunk | None = None
    texts: list[str] = []
    async for chunk in runnable.astream(prompt):
        total = chunk if total is None else total + chunk
        if chunk.text:
            texts.append(chunk.text)
    assert total is not None
    return total, texts


def checked_usage(message: AIMessage) -> None:
    usage = message.usage_metadata
    assert usage is not None
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_plain_answer(model: ConnectedModel) -> None:
    reply = await model.chat.ainvoke("Hello!")
    assert isinstance(reply, AIMessage)
    assert reply.text.strip()
    assert reply.tool_calls == []
    assert reply.response_metadata["finish_reason"] == "stop"
    checked_usage(reply)


async def test_streamed_answer(model: ConnectedModel) -> None:
    total, texts = await streamed(model.chat, "Hello!")
    assert len(texts) > 1
    assert "".join(texts) == total.text
    assert total.response_metadata["finish_reason"] == "stop"
    checked_usage(total)


async def test_system_message(model: ConnectedModel) -> None:
    prompt = [
        SystemMessage("Whatever the user says, reply with the single word ahoy."),
        HumanMessage("Hello!"),
    ]
    assert "ahoy" in (await model.chat.ainvoke(prompt)).text.lower()


async def test_tool_call_when_it_is_needed(model: ConnectedModel) -> None:
    reply = await model.chat.bind_tools(TOOLS).ainvoke("What is 23*19?")
    (call,) = reply.tool_calls
    assert call["name"] == "calculator"
    assert re.sub(r"\s", "", call["args"]["expression"]) == "23*19"
    assert call["id"]
    assert reply.response_metadata["finish_reason"] == "tool_calls"
    checked_usage(reply)


async def test_no_tool_call_when_none_is_needed(model: ConnectedModel) -> None:
    reply = await model.chat.bind_tools(TOOLS).ainvoke("Hello!")
    assert reply.tool_calls == []
    assert reply.text.strip()
    assert "{" not in reply.text


async def test_tool_call_required(model: ConnectedModel) -> None:
    reply = await model.chat.bind_tools(TOOLS, tool_choice="any").ainvoke("Hello!")
    assert [call["name"] in ("calculator", "now") for call in reply.tool_calls] == [True]


async def test_tool_call_named(model: ConnectedModel) -> None:
    reply = await model.chat.bind_tools(TOOLS, tool_choice="now").ainvoke("Hello!")
    assert [call["name"] for call in reply.tool_calls] == ["now"]


async def test_streamed_tool_call(model: ConnectedModel) -> None:
    total, texts = await streamed(model.chat.bind_tools(TOOLS), "What is 23*19?")
    assert texts == []
    (call,) = total.tool_calls
    assert call["name"] == "calculator"
    assert isinstance(call["args"], dict)
    checked_usage(total)


async def test_call_result_answer(model: ConnectedModel) -> None:
    call = {"name": "calculator", "args": {"expression": "23*19"}, "id": "call_1"}
    history: list[BaseMessage] = [
        HumanMessage("What is 23*19?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("437", tool_call_id="call_1", name="calculator"),
    ]
    total, texts = await streamed(model.chat.bind_tools(TOOLS), history)
    assert total.tool_calls == []
    assert "437" in "".join(texts)


async def test_json_by_schema(model: ConnectedModel) -> None:
    prompt = [HumanMessage("Give name and age as JSON: 'Maria is 34 years old.'")]
    assert await ask_json(model, prompt, Person) == Person(name="Maria", age=34)


async def test_json_by_response_format(model: ConnectedModel) -> None:
    if not model.capabilities.json_schema:
        pytest.skip("this server enforces no schema")
    wanted = {"type": "json_schema", "json_schema": {"name": "Person", "schema": Person.model_json_schema()}}
    total, texts = await streamed(
        model.chat.bind(response_format=wanted), "Give name and age as JSON: 'Maria is 34 years old.'"
    )
    assert json.loads("".join(texts)) == {"name": "Maria", "age": 34}
    checked_usage(total)


async def test_cancelling_mid_stream_leaves_a_working_model(model: ConnectedModel) -> None:
    begun = asyncio.Event()

    async def listen() -> None:
        async for chunk in model.chat.astream("Please count from 1 to 200 in digits."):
            if chunk.text:
                begun.set()

    task = asyncio.create_task(listen())
    async with asyncio.timeout(60):
        await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60):
        assert (await model.chat.ainvoke("Hello!")).text.strip()


async def test_parallel_tool_calls(model: ConnectedModel, voice: str) -> None:
    if model.capabilities.tool_method != "native" or voice in REAL:
        pytest.skip("one call a reply, or the model's own choice")
    total, _ = await streamed(model.chat.bind_tools(TOOLS), "What is 23*19, and what is 12*12?")
    assert [call["args"]["expression"] for call in total.tool_calls] == ["23*19", "12*12"]
    assert len({call["id"] for call in total.tool_calls}) == 2


async def test_a_tool_call_comes_in_pieces(model: ConnectedModel) -> None:
    if model.capabilities.tool_method != "native":
        pytest.skip("a reply under a schema is read to its end first")
    bound = model.chat.bind_tools(TOOLS, tool_choice="calculator")
    chunks = [chunk async for chunk in bound.astream("What is 23*19?")]
    assert len([part for chunk in chunks for part in chunk.tool_call_chunks]) > 1  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_stop_word_ends_the_answer_before_it(model: ConnectedModel) -> None:
    prompt = "Please count from 1 to 200 in digits."
    whole = await model.chat.ainvoke(prompt, stop=["7"])
    total, texts = await streamed(model.chat.bind(stop=["7"]), prompt)
    for text in (whole.text, "".join(texts)):
        assert text.strip()
        assert "7" not in text
        assert "8" not in text
    assert total.response_metadata["finish_reason"] == "stop"


async def test_a_developers_message_is_followed(model: ConnectedModel) -> None:
    rule = "Whatever the user says, reply with the single word ahoy."
    prompt = [
        SystemMessage(rule, additional_kwargs={"__openai_role__": "developer"}),
        HumanMessage("Hello!"),
    ]
    assert "ahoy" in (await model.chat.ainvoke(prompt)).text.lower()


async def test_an_image_is_seen_or_refused_in_clear_words(model: ConnectedModel) -> None:
    shown = HumanMessage(
        [
            {"type": "text", "text": "Which colour is this picture?"},
            {"type": "image", "base64": red_square(), "mime_type": "image/png"},
        ]
    )
    try:
        seen, refused = (await model.chat.ainvoke([shown])).text, None
    except ModelRefused as error:
        seen, refused = "", error
    assert refused is not None or "red" in seen.lower()
    if refused is not None:
        assert "sees no images" in refused.message
        assert refused.fields["needs"] == "images"


async def test_thoughts_are_told_apart_from_the_answer(model: ConnectedModel, voice: str) -> None:
    if voice in REAL:
        pytest.skip("these models do not think first")
    prompt = "Is 91 a prime number? Think step by step."
    whole = await model.chat.ainvoke(prompt)
    total, texts = await streamed(model.chat, prompt)
    assert [reasoning_of(whole), reasoning_of(total)] == ["7 times 13 is 91."] * 2
    assert [whole.text, "".join(texts)] == ["91 is 7 times 13."] * 2


async def test_a_prompt_that_is_too_long_is_a_context_overflow(model: ConnectedModel) -> None:
    with pytest.raises(ContextOverflow):
        await model.chat.ainvoke("word " * 12_000)
    with pytest.raises(ContextOverflow):
        await streamed(model.chat.bind_tools(TOOLS), "word " * 12_000)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("auth", ModelRefused),
        ("unknown_model", ModelRefused),
        ("quota", ModelRefused),
        ("refused", ModelRefused),
        ("rate_limit", ModelUnavailable),
        ("server", ModelUnavailable),
        ("context", ContextOverflow),
        ("break", ModelError),
    ],
)
@pytest.mark.parametrize("wire", [False, True])
async def test_faults_are_the_same_errors_in_process_and_over_the_wire(
    settings: Settings, fault: Any, kind: type[ModelError], wire: bool
) -> None:
    def failing(call: Call) -> Reply:
        return Reply(text="half of it, and no more than that", fault=fault)

    settings = settings.replace(models__max_retries=0)
    async with ScriptedServer(failing) as server:
        models = Models(settings)
        connected = (
            await models.chat("fast", f"test:scripted@{server.base_url}") if wire else scripted(failing)
        )
        for bound in (connected.chat, connected.chat.bind_tools(TOOLS)):
            with pytest.raises(kind):
                await bound.ainvoke("hi")
            with pytest.raises(kind):
                await streamed(bound, "hi")
        await models.aclose()
