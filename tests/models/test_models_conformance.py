"""What every model must do, whatever is behind it: in process, over a real socket, and real servers.

A new provider gets one line in `VOICES`. The scripted voices answer by a small function, so that the same questions
can be put to a real model: the embedded one, a real vLLM (`make vllm-test`), any other (`make server-test SPEC=…`).
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from model_voices import TOOLS, VOICES, Person

from motet.errors import ContextOverflow, ModelError, ModelRefused, ModelUnavailable
from motet.models.base import ConnectedModel, ModelSpec, Provider
from motet.models.embeddings import wire_embedder
from motet.models.openai import NO_KEY
from motet.models.openai_chat import OpenAIChat
from motet.models.probe_table import red_square
from motet.models.roles import Models, provider_of
from motet.models.schema_tools import SchemaToolChatModel
from motet.models.scripted import Call, Reply, scripted
from motet.models.scripted_server import ScriptedServer
from motet.models.structured import ask_json
from motet.models.wrapped import reasoning_of
from motet.secret import Secret
from motet.settings import Settings

REAL = ("embedded", "vllm", "server")
"""Voices whose answers are a real model's own."""

LONGEST_S = 300
"""For a real model on a busy machine; nothing is waited for in vain."""


@pytest.fixture(
    params=[
        *VOICES,
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("vllm", marks=pytest.mark.vllm),
        pytest.param("server", marks=pytest.mark.server),
    ]
)
def voice(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def real_providers() -> dict[str, Provider]:
    """Return where providers of real servers stay: one is asked what it can do by the first test, not by each."""
    return {}


@pytest.fixture
async def model(
    voice: str, settings: Settings, request: pytest.FixtureRequest, real_providers: dict[str, Provider]
) -> AsyncIterator[ConnectedModel]:
    if voice == "embedded":
        provider: Provider = request.getfixturevalue("embedded_provider")
        yield await provider.connect(ModelSpec("embedded"))
        return
    if voice in REAL:
        spec, used = (
            request.getfixturevalue("named_server")
            if voice == "server"
            else ("vllm:local", settings.replace(**request.getfixturevalue("vllm")))
        )
        asked = ModelSpec.parse(spec)
        if spec not in real_providers:
            real_providers[spec] = provider_of(asked, used)
        yield await real_providers[spec].connect(asked)
        await real_providers[spec].aclose()  # the connections, which are the event loop's
        return
    async with VOICES[voice](settings) as connected:
        yield connected


def wire_of(model: ConnectedModel) -> OpenAIChat:
    """Return the chat with the server itself, past Motet's ways around what it cannot do."""
    chat = model.chat.wrapped if isinstance(model.chat, SchemaToolChatModel) else model.chat
    if not isinstance(chat, OpenAIChat):
        pytest.skip("there is no server")
    return chat


def key_of(chat: OpenAIChat) -> str:
    key: Any = chat.openai_api_key
    return str(key.get_secret_value())


def as_openai(settings: Settings, chat: OpenAIChat, key: str = "") -> Settings:
    """Return settings with which `openai:NAME` is the server of a chat."""
    return settings.replace(
        models__openai_base_url=chat.spec.base_url, models__openai_api_key=Secret(key or key_of(chat))
    )


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


async def test_call_result_answer(model: ConnectedModel, voice: str) -> None:
    call = {"name": "calculator", "args": {"expression": "23*19"}, "id": "call_1"}
    history: list[BaseMessage] = [
        HumanMessage("What is 23*19?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("437", tool_call_id="call_1", name="calculator"),
    ]
    total, texts = await streamed(model.chat.bind_tools(TOOLS), history)
    if total.tool_calls and voice in ("vllm", "server"):  # half a billion parameters like to call once more
        total, texts = await streamed(model.chat.bind_tools(TOOLS, tool_choice="none"), history)
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
    async with asyncio.timeout(LONGEST_S):
        await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(LONGEST_S):
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


async def test_a_prompt_that_is_too_long_is_a_context_overflow(model: ConnectedModel, voice: str) -> None:
    window = model.capabilities.context_tokens
    if voice == "server" and not window:
        pytest.skip("this server tells no window: how long is too long is not known")
    prompt = "word " * max(12_000, 2 * window)
    with pytest.raises(ContextOverflow):
        await model.chat.ainvoke(prompt)
    with pytest.raises(ContextOverflow):
        await streamed(model.chat.bind_tools(TOOLS), prompt)


async def test_embeddings_or_a_clear_word(model: ConnectedModel, voice: str, settings: Settings) -> None:
    chat = wire_of(model)
    embedder = wire_embedder(f"openai:{chat.model_name}", as_openai(settings, chat))
    texts = ["red apple", "green apple", "蓝色的船"]
    refusal = ""
    try:
        rows = await asyncio.to_thread(embedder.embed_passages, texts)
        assert rows.shape == (3, embedder.dimension)
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert rows[0] @ rows[1] > rows[0] @ rows[2]
    except ModelRefused as refused:
        refusal = refused.message
    finally:
        embedder.close()
    has_some = voice not in REAL and model.capabilities.tool_method == "native"
    assert not refusal or (not has_some and chat.model_name in refusal)


async def test_a_model_that_the_server_does_not_have_is_refused(
    model: ConnectedModel, settings: Settings
) -> None:
    models = Models(as_openai(settings, wire_of(model)))
    try:
        with pytest.raises(ModelRefused, match="no-such-model"):
            await models.chat("fast", "openai:no-such-model")
    finally:
        await models.aclose()


async def test_a_wrong_key_is_refused_and_shown_nowhere(model: ConnectedModel, settings: Settings) -> None:
    chat = wire_of(model)
    if key_of(chat) == NO_KEY:
        pytest.skip("this server asks for no key")
    wrong = "sk-wrong-and-nobodys-business"
    models = Models(as_openai(settings, chat, key=wrong))
    try:
        with pytest.raises(ModelRefused, match="refused the key") as caught:
            await models.chat("fast", f"openai:{chat.model_name}")
    finally:
        await models.aclose()
    shown = f"{caught.value.to_dict()} {caught.value!r} {caught.value.__cause__!r}"
    assert not [key for key in (wrong, key_of(chat)) if key in shown]


@pytest.mark.parametrize("voice", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_what_is_known_of_the_embedded_model_is_what_a_stranger_finds_out(
    model: ConnectedModel, settings: Settings
) -> None:
    chat = wire_of(model)
    models = Models(as_openai(settings, chat))
    try:
        found = (await models.chat("fast", f"openai:{chat.model_name}")).capabilities
    finally:
        await models.aclose()
    known = model.capabilities
    assert (found.tool_method, found.json_by, found.context_tokens, found.small) == (
        known.tool_method,
        known.json_by,
        known.context_tokens,
        known.small,
    )


@pytest.mark.parametrize("voice", [pytest.param("vllm", marks=pytest.mark.vllm)], indirect=True)
async def test_calls_that_vllm_enforces_are_parsed_and_come_in_pieces(model: ConnectedModel) -> None:
    chat = wire_of(model)
    for choice in ("any", "now"):
        bound = chat.bind_tools(TOOLS, tool_choice=choice)
        whole = await bound.ainvoke("Hello!")
        chunks = [chunk async for chunk in bound.astream("Hello!")]
        assert len([part for chunk in chunks for part in chunk.tool_call_chunks]) > 1  # pyright: ignore[reportAttributeAccessIssue]
        total: Any = sum(chunks[1:], chunks[0])  # pyright: ignore[reportArgumentType, reportCallIssue]
        for reply in (whole, total):
            assert {call["name"] for call in reply.tool_calls} <= {
                tool.name for tool in TOOLS if choice in ("any", tool.name)
            }
            assert reply.tool_calls


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
