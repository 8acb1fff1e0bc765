"""Broken servers give typed errors, and half an answer is never handed out as a whole one. Real sockets."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from pydantic import BaseModel

from motet.errors import ModelError, ModelOutputInvalid, ModelRefused, ModelUnavailable
from motet.models.base import ModelSpec
from motet.models.openai import make_chat
from motet.models.openai_chat import OpenAIChat
from motet.models.patience import Patience

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@tool
def look(word: str) -> str:
    """Look a word up."""
    return word


@asynccontextmanager
async def serving(*answers: bytes | Answer, **options: Any) -> AsyncGenerator[tuple[OpenAIChat, list[Any]]]:
    """Serve these answers, one a request and the last again and again; yield a client and the bodies it sent."""
    bodies: list[Any] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        bodies.append(json.loads(await reader.readexactly(size)))
        answer = answers[min(len(bodies), len(answers)) - 1]
        try:
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    fixed: dict[str, Any] = {"timeout_s": 5.0, "max_tokens": 256, "temperature": 0.0}
    fixed["patience"] = Patience(options.pop("max_retries", 0), pause_s=0.001)
    chat = make_chat(spec=ModelSpec("test", "m", url), api_key="none", **(fixed | options))
    try:
        yield chat, bodies
    finally:
        await chat.root_async_client.close()
        chat.root_client.close()
        server.close()
        await server.wait_closed()


def http(body: bytes | str, kind: str = "application/json", status: str = "200 OK") -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(raw)}\r\nconnection: close\r\n\r\n"
    return head.encode() + raw


def sse(*events: Any, done: bool = True, end: str = "\n\n") -> bytes:
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}{end}" for event in events]
    return http("".join(lines) + ("data: [DONE]\n\n" if done else ""), "text/event-stream")


def piece(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }


def call_piece(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    name = {"name": more.pop("name")} if "name" in more else {}
    return piece(tool_calls=[{"index": index, "function": {"arguments": arguments, **name}, **more}])


def whole(reason: str = "stop", **message: Any) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Hi", **message},
        "finish_reason": reason,
    }
    return http(
        json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
    )


async def streamed(chat: Any, prompt: str = "hi") -> AIMessageChunk:
    total: AIMessageChunk | None = None
    async for chunk in chat.astream(prompt):
        total = chunk if total is None else total + chunk
    assert total is not None
    return total


HELLO = sse(piece(role="assistant", content="Hel"), piece(content="lo"), piece("stop"))


async def test_a_good_stream_is_whole() -> None:
    async with serving(HELLO) as (chat, bodies):
        assert (await streamed(chat)).text == "Hello"
    assert bodies[0]["max_tokens"] == 256
    assert "max_completion_tokens" not in bodies[0]
    assert bodies[0]["temperature"] == 0.0
    assert bodies[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "answer",
    [
        sse(piece(content="Hel"), "[DONE]", piece(content="more")),
        sse(piece(content="Hel"), done=False),
        sse(done=False),
        sse(piece(content="Hel"), {"error": {"message": "worker died"}}),
    ],
    ids=["no finish reason", "no end", "nothing", "error event"],
)
async def test_a_stream_that_breaks_off_is_unavailable(answer: bytes) -> None:
    async with serving(answer) as (chat, _):
        with pytest.raises(ModelUnavailable, match=r"m.* (broke off|cannot be reached)"):
            await streamed(chat)


async def test_a_reset_in_mid_stream_is_unavailable() -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HELLO[: len(HELLO) // 2])
        await writer.drain()
        writer.transport.abort()

    async with serving(reset) as (chat, _):
        with pytest.raises(ModelUnavailable, match="broke the connection"):
            await streamed(chat)


@pytest.mark.parametrize(
    "answer",
    [
        sse(piece(content="Hello"), piece("stop"), done=False),
        sse(piece(content="Hello"), piece("stop"), "[DONE]", "[DONE]"),
        sse(": keep-alive", piece(content="Hello"), piece("stop")).replace(b"data: :", b":"),
        sse(piece(content="Hello"), piece("stop"), end="\r\n\r\n"),
        sse(piece(role="assistant", content=None), piece(content="Hello"), piece("stop")),
    ],
    ids=["no done", "two dones", "comment", "crlf", "null content"],
)
async def test_small_differences_do_no_harm(answer: bytes) -> None:
    async with serving(answer) as (chat, _):
        assert (await streamed(chat)).text == "Hello"


@pytest.mark.parametrize(
    "answer",
    [
        sse(piece(content="a"), "{broken"),
        http(b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n', "text/event-stream"),
        sse([1, 2]),
    ],
    ids=["bad json", "bad utf-8", "a list"],
)
async def test_an_unreadable_stream_is_a_model_error(answer: bytes) -> None:
    async with serving(answer) as (chat, _):
        with pytest.raises(ModelError):
            await streamed(chat)


@pytest.mark.parametrize(
    "answer",
    [
        http("<html>Sign in</html>", "text/html"),
        http("{broken"),
        http('{"choices": null}'),
        http('{"hello": 1}'),
        http("[]"),
        http('"text"'),
        http('{"error": {"message": "no"}}'),
    ],
)
async def test_an_unreadable_answer_is_a_model_error(answer: bytes) -> None:
    async with serving(answer) as (chat, _):
        with pytest.raises(ModelError, match="m"):
            await chat.ainvoke("hi")


async def test_an_answer_without_choices_is_asked_once_more() -> None:
    empty = http('{"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}')
    async with serving(empty, whole()) as (chat, bodies):
        assert (await chat.ainvoke("hi")).text == "Hi"
        assert len(bodies) == 2
    async with serving(empty) as (chat, bodies):
        with pytest.raises(ModelError, match="without any choice"):
            await chat.ainvoke("hi")
        assert len(bodies) == 2


async def test_silence_is_given_up() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silence, timeout_s=0.2) as (chat, _):
        with pytest.raises(ModelUnavailable, match="in time"):
            await chat.ainvoke("hi")
        with pytest.raises(ModelUnavailable, match="in time"):
            await streamed(chat)


async def test_an_answer_that_drips_before_its_first_word_is_given_up() -> None:
    """Each piece comes in time, so only the time in all can end it; in the head, and in the body."""

    async def head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await dripping(b"x-a: b\r\n", reader, writer)

    async def body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        await dripping(b" ", reader, writer)

    for drip in (head, body):
        async with serving(drip, total_s=0.2) as (chat, _), asyncio.timeout(10):
            with pytest.raises(ModelUnavailable, match="MOTET_MODEL_TOTAL_TIMEOUT_S"):
                await chat.ainvoke("hi")
            with pytest.raises(ModelUnavailable, match="MOTET_MODEL_TOTAL_TIMEOUT_S"):
                await streamed(chat)
    async with serving(body, total_s=0.2) as (chat, _), asyncio.timeout(10):
        with pytest.raises(ModelUnavailable, match="MOTET_MODEL_TOTAL_TIMEOUT_S"):
            await asyncio.to_thread(chat.invoke, "hi")


async def dripping(piece: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Write a piece again and again, until nobody listens."""
    while not reader.at_eof():
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_silence_between_words_is_given_up_though_bytes_drip() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        writer.write(b"data: " + json.dumps(piece(content="a")).encode() + b"\n\n")
        for _ in range(100):
            writer.write(b": keep-alive\n\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(drip, timeout_s=0.3) as (chat, _):
        with pytest.raises(ModelUnavailable, match="in time"):
            await asyncio.wait_for(streamed(chat), 3)


async def test_a_stream_without_end_is_given_up() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"data: " + json.dumps(piece(content="again " * 20)).encode() + b"\n\n")
            await writer.drain()

    async with serving(endless, max_tokens=64) as (chat, _):
        with pytest.raises(ModelError, match="does not stop"):
            await streamed(chat)


CUT_CALL = sse(call_piece(0, '{"word": "fi', id="a", name="look"), piece("length"))
CUT_CALL_WHOLE = whole(
    "length",
    content=None,
    tool_calls=[{"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"word": "fi'}}],
)


async def test_a_tool_call_that_was_cut_off_is_not_handed_out() -> None:
    async with serving(CUT_CALL) as (chat, _):
        with pytest.raises(ModelOutputInvalid, match="MOTET_MAX_TOKENS"):
            await streamed(chat.bind_tools([look]))
    async with serving(CUT_CALL_WHOLE) as (chat, _):
        with pytest.raises(ModelOutputInvalid, match="MOTET_MAX_TOKENS"):
            await chat.bind_tools([look]).ainvoke("hi")


async def test_calls_without_an_id_or_with_one_twice_get_their_own() -> None:
    pieces = [
        call_piece(0, '{"word": "a"}', name="look"),
        call_piece(1, '{"word": ', name="look", id="x"),
        call_piece(1, '"b"}', id="x"),
        call_piece(2, '{"word": "c"}', name="look", id="x"),
        piece("tool_calls"),
    ]
    async with serving(sse(*pieces)) as (chat, _):
        calls = (await streamed(chat.bind_tools([look]))).tool_calls
    assert [call["args"] for call in calls] == [{"word": "a"}, {"word": "b"}, {"word": "c"}]
    ids = [call["id"] for call in calls]
    assert ids[1] == "x"
    assert len(set(ids)) == 3
    assert all(ids)


async def test_whole_calls_get_ids_too() -> None:
    function = {"name": "look", "arguments": '{"word": "a"}'}
    calls = [{"type": "function", "function": function, "id": call_id} for call_id in ("x", "x", "")]
    async with serving(whole("tool_calls", content=None, tool_calls=calls)) as (chat, _):
        ids = [call["id"] for call in (await chat.bind_tools([look]).ainvoke("hi")).tool_calls]
    assert ids[0] == "x"
    assert len(set(ids)) == 3
    assert all(ids)


async def test_far_too_many_calls_are_none() -> None:
    pieces = [call_piece(n, "{}", name="look", id=str(n)) for n in range(500)]
    async with serving(sse(*pieces, piece("tool_calls"))) as (chat, _):
        with pytest.raises(ModelOutputInvalid, match="more than 32 tool calls"):
            await streamed(chat.bind_tools([look]))


@pytest.mark.parametrize("arguments", ['{"word": "fi', "fish", '["fish"]', '{"word": "a"}{"word": "b"}'])
async def test_arguments_that_are_no_json_object_are_not_guessed(arguments: str) -> None:
    async with serving(sse(call_piece(0, arguments, id="a", name="look"), piece("tool_calls"))) as (chat, _):
        with pytest.raises(ModelOutputInvalid, match="not a JSON object"):
            await streamed(chat.bind_tools([look]))
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": arguments}}
    async with serving(whole("tool_calls", content=None, tool_calls=[call])) as (chat, _):
        with pytest.raises(ModelOutputInvalid):
            await chat.bind_tools([look]).ainvoke("hi")


async def test_no_arguments_at_all_are_an_empty_object() -> None:
    async with serving(sse(call_piece(0, "", id="a", name="look"), piece("tool_calls"))) as (chat, _):
        assert (await streamed(chat.bind_tools([look]))).tool_calls[0]["args"] == {}


async def test_a_content_filter_is_a_refusal_and_a_refusal_is_text() -> None:
    async with serving(sse(piece(content="a"), piece("content_filter"))) as (chat, _):
        with pytest.raises(ModelRefused, match="content filter"):
            await streamed(chat)
    async with serving(whole(content=None, refusal="I will not.")) as (chat, _):
        assert (await chat.ainvoke("hi")).text == "I will not."


async def test_what_cannot_be_sent_is_the_callers_own_error() -> None:
    async with serving(HELLO) as (chat, bodies):
        with pytest.raises(ValueError, match="additional_tools"):
            await chat.ainvoke([("user", [{"type": "additional_tools", "tools": []}])])
        assert bodies == []


class Pair(BaseModel):
    left: int
    right: int


async def test_structured_output_in_both_forms() -> None:
    async with serving(whole(content='{"left": 1, "right": 2}')) as (chat, bodies):
        assert await chat.with_structured_output(Pair).ainvoke("hi") == Pair(left=1, right=2)
        schema = {"title": "Pair", "type": "object", "properties": {"left": {"type": "integer"}}}
        assert await chat.with_structured_output(schema).ainvoke("hi") == {"left": 1, "right": 2}
    assert [body["response_format"]["json_schema"]["name"] for body in bodies] == ["Pair", "Pair"]


async def test_usage_is_counted_once_in_a_stream_with_a_schema() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    last = {**piece(), "choices": [], "usage": usage}
    answer = sse(piece(content='{"left": 1,'), piece(content=' "right": 2}'), piece("stop"), last)
    wanted = {"type": "json_schema", "json_schema": {"name": "P", "schema": {"type": "object"}}}
    async with serving(answer) as (chat, bodies):
        reply = await streamed(chat.bind(response_format=wanted))
    assert reply.text == '{"left": 1, "right": 2}'
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["total_tokens"] == 8
    assert bodies[0]["response_format"] == wanted


async def test_sync_code_gets_the_same_errors() -> None:
    async with serving(whole()) as (chat, _):
        assert (await asyncio.to_thread(chat.invoke, "hi")).text == "Hi"
    async with serving(sse(piece(content="Hel"), done=False)) as (chat, _):
        with pytest.raises(ModelUnavailable):
            await asyncio.to_thread(lambda: list(chat.stream("hi")))


async def test_retries_are_the_clients_and_respect_what_the_server_says() -> None:
    busy = http('{"error": {"message": "busy"}}', status="429 Too Many Requests").replace(
        b"connection: close", b"connection: close\r\nretry-after: 0.2"
    )
    async with serving(busy, whole(), max_retries=1) as (chat, bodies):
        started = asyncio.get_running_loop().time()
        assert (await chat.ainvoke("hi")).text == "Hi"
        assert asyncio.get_running_loop().time() - started >= 0.2
        assert len(bodies) == 2


def responses_stream(status: str = "completed") -> bytes:
    """Return a short stream of OpenAI's other interface, which some of its models need."""
    usage = {
        "input_tokens": 2,
        "output_tokens": 1,
        "total_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
    }
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}
    base = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": [], "tools": []}
    base |= {"parallel_tool_calls": True, "tool_choice": "auto"}
    item = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    events: list[Any] = [
        {"type": "response.created", "sequence_number": 0, "response": {**base, "status": "in_progress"}},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item},
        {
            "type": "response.output_text.delta",
            "sequence_number": 2,
            **place,
            "delta": "Hello",
            "logprobs": [],
        },
    ]
    if status:
        ended = {**base, "status": status, "usage": usage}
        events.append({"type": f"response.{status}", "sequence_number": 3, "response": ended})
    return sse(*events, done=False)


async def test_the_responses_interface_is_watched_too() -> None:
    async with serving(responses_stream(), use_responses_api=True) as (chat, _):
        reply = await streamed(chat)
        assert reply.text == "Hello"
        assert reply.usage_metadata is not None
    async with serving(responses_stream(""), use_responses_api=True) as (chat, _):
        with pytest.raises(ModelUnavailable, match="broke off"):
            await streamed(chat)
