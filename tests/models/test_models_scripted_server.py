"""The scripted server speaks OpenAI's wire as OpenAI's own client reads it."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from motet.models.scripted import Call, Reply, Rule, Script, ToolCall
from motet.models.scripted_server import ScriptedServer

TOOL: Any = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
HI: Any = [{"role": "user", "content": "hi"}]


def client(server: ScriptedServer, key: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.base_url, api_key=key, max_retries=0)


async def test_plain_and_streamed_answers() -> None:
    async with ScriptedServer(["Hello 世界", "Hello 世界"]) as server, client(server) as api:
        whole = await api.chat.completions.create(model="scripted", messages=HI)
        assert whole.choices[0].message.content == "Hello 世界"
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage is not None
        stream = await api.chat.completions.create(
            model="scripted", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello 世界"
        assert chunks[-1].usage == whole.usage
        assert chunks[-1].choices == []
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


async def test_no_usage_unless_it_is_asked_for() -> None:
    async with ScriptedServer(["Hello"]) as server, client(server) as api:
        stream = await api.chat.completions.create(model="scripted", messages=HI, stream=True)
        assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_the_stream_ends_with_done() -> None:
    async with ScriptedServer(["Hello"]) as server, httpx.AsyncClient() as http:
        body = {"model": "scripted", "messages": HI, "stream": True}
        reply = await http.post(f"{server.base_url}/chat/completions", json=body)
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.text.endswith("data: [DONE]\n\n")


async def test_tool_calls_are_streamed_in_pieces() -> None:
    calls = [ToolCall("look", {"word": "fish"}), ToolCall("look", {"word": "cat"})]
    async with ScriptedServer([calls, calls]) as server, client(server) as api:
        whole = await api.chat.completions.create(model="scripted", messages=HI, tools=[TOOL])
        found: Any = whole.choices[0].message.tool_calls
        assert [json.loads(call.function.arguments) for call in found] == [{"word": "fish"}, {"word": "cat"}]
        assert whole.choices[0].finish_reason == "tool_calls"
        stream = await api.chat.completions.create(model="scripted", messages=HI, tools=[TOOL], stream=True)
        arguments = {0: "", 1: ""}
        pieces = 0
        async for chunk in stream:
            for part in chunk.choices[0].delta.tool_calls or []:
                arguments[part.index] += (part.function and part.function.arguments) or ""
                pieces += 1
        assert [json.loads(text) for text in arguments.values()] == [{"word": "fish"}, {"word": "cat"}]
        assert pieces > 4


async def test_the_model_list() -> None:
    async with ScriptedServer([], model="m1", context_tokens=99) as server, client(server) as api:
        (model,) = (await api.models.list()).data
        assert (model.id, model.model_dump()["max_model_len"]) == ("m1", 99)
    async with ScriptedServer([], list_models=False) as server, client(server) as api:
        with pytest.raises(openai.NotFoundError):
            await api.models.list()


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("auth", openai.AuthenticationError, "invalid_api_key"),
        ("unknown_model", openai.NotFoundError, "model_not_found"),
        ("rate_limit", openai.RateLimitError, "rate_limit_exceeded"),
        ("quota", openai.RateLimitError, "insufficient_quota"),
        ("context", openai.BadRequestError, "context_length_exceeded"),
        ("refused", openai.BadRequestError, "invalid_request"),
        ("server", openai.InternalServerError, "server_error"),
    ],
)
async def test_faults_are_openais_errors(fault: Any, kind: type[openai.APIStatusError], code: str) -> None:
    script = Script(default=Reply(fault=fault, retry_after="3" if fault == "rate_limit" else ""))
    async with ScriptedServer(script) as server, client(server) as api:
        for stream in (False, True):
            with pytest.raises(kind) as caught:
                await api.chat.completions.create(model="scripted", messages=HI, stream=stream)
            assert caught.value.code == code
            assert caught.value.response.headers.get("retry-after") == (
                "3" if fault == "rate_limit" else None
            )


async def test_key_model_and_window_are_checked() -> None:
    async with ScriptedServer(["a"], api_key="right", context_tokens=10) as server:
        async with client(server, "wrong") as api:
            with pytest.raises(openai.AuthenticationError):
                await api.chat.completions.create(model="scripted", messages=HI)
        async with client(server, "right") as api:
            with pytest.raises(openai.NotFoundError):
                await api.chat.completions.create(model="other", messages=HI)
            with pytest.raises(openai.BadRequestError, match="context window"):
                await api.chat.completions.create(
                    model="scripted", messages=[{"role": "user", "content": "long " * 50}]
                )
            assert (await api.chat.completions.create(model="scripted", messages=HI)).choices


@pytest.mark.parametrize("stream", [False, True])
async def test_a_break_is_a_broken_connection(stream: bool) -> None:
    script = [Reply(text="half of it and no more", fault="break")]
    async with ScriptedServer(script) as server, client(server) as api:

        async def read() -> None:
            reply: Any = await api.chat.completions.create(model="scripted", messages=HI, stream=stream)
            async for _ in reply:
                pass

        with pytest.raises((openai.APIConnectionError, json.JSONDecodeError)):
            await read()


async def test_a_client_that_leaves_is_noticed() -> None:
    script = [Reply(text="word " * 200, piece_delay_s=0.01)]
    async with ScriptedServer(script) as server:
        async with client(server) as api:
            stream = await api.chat.completions.create(model="scripted", messages=HI, stream=True)
            async for _ in stream:
                break
            await stream.close()
        async with asyncio.timeout(5):
            while not server.broken_off:  # noqa: ASYNC110  # the server is another side; it sends no event
                await asyncio.sleep(0.01)


async def test_closing_the_server_ends_streams_that_are_open() -> None:
    server = ScriptedServer([Reply(text="word " * 500, piece_delay_s=0.05)])
    await server.__aenter__()
    async with client(server) as api:
        stream = await api.chat.completions.create(model="scripted", messages=HI, stream=True)
        await anext(aiter(stream))
        async with asyncio.timeout(3):
            await server.__aexit__(None, None, None)
        await stream.close()


async def test_the_wire_is_read_into_messages() -> None:
    asked: list[Call] = []

    def answer(call: Call) -> str:
        asked.append(call)
        return "ok"

    function = {"name": "look", "arguments": '{"word": "fish"}'}
    messages: Any = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "a fish"},
    ]
    async with ScriptedServer(answer) as server, client(server) as api:
        await api.chat.completions.create(model="scripted", messages=messages, temperature=0.5)
    (call,) = asked
    assert (call.system_text, call.user_text) == ("Be short.", "look")
    assert call.tool_result is not None
    assert call.tool_result.text == "a fish"
    assert call.options["temperature"] == 0.5
    assert Rule("x", after="look", result="fish").fits(call)


@pytest.mark.parametrize("messages", [[], "hi", [{"role": "wizard", "content": "a"}], None])
async def test_an_unreadable_request_is_400(messages: Any) -> None:
    async with ScriptedServer(["a"]) as server, client(server) as api:
        with pytest.raises(openai.BadRequestError):
            await api.chat.completions.create(model="scripted", messages=messages)


async def test_what_is_no_http_is_hung_up_on() -> None:
    async with ScriptedServer(["a"]) as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        for garbage in (b"hello\r\n\r\n", b"x" * 100_000, b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n{{{"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(garbage)
            writer.write_eof()
            async with asyncio.timeout(3):
                await reader.read()
            writer.close()
            await writer.wait_closed()
