"""Pieces of an answer that arrived together are told together, and nothing else of them changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.models.plain_chunks import Arrived, PlainCompletions, join

Piece = dict[str, Any]


def piece(delta: dict[str, Any], **choice: Any) -> Piece:
    choices = [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None, **choice}]
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "model": "m",
        "created": 1,
        "choices": choices,
        "usage": None,
    }


def text(said: str | None, **more: Any) -> Piece:
    return piece({"content": said, **more})


def call(arguments: str, index: int = 0, **more: Any) -> Piece:
    return piece({"tool_calls": [{"index": index, "function": {"arguments": arguments}, **more}]})


def begun(index: int = 0) -> Piece:
    function = {"name": "look", "arguments": ""}
    return piece(
        {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": function}]}
    )


def told(pieces: list[Piece]) -> dict[str, Any]:
    """What all the pieces say."""
    said: dict[str, Any] = {"content": "", "reasoning": "", "arguments": {}, "ends": [], "took": []}
    for one in pieces:
        said["took"] += [one["usage"]] if one["usage"] else []
        choice: dict[str, Any] = (one["choices"] or [{"delta": {}, "finish_reason": None}])[0]
        for name in ("content", "reasoning"):
            said[name] += choice["delta"].get(name) or ""
        for part in choice["delta"].get("tool_calls") or []:
            known = said["arguments"].get(part["index"], "")
            said["arguments"][part["index"]] = known + part["function"]["arguments"]
        said["ends"] += [choice["finish_reason"]] if choice["finish_reason"] else []
    return said


def joined(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for one in map(deepcopy, pieces):
        if not (found and join(found[-1], one)):
            found.append(one)
    return found


@pytest.mark.parametrize(
    ("last", "more"),
    [
        (text("海"), text("上")),
        (text("", role="assistant"), text("a")),
        (text("a"), text("b", role="assistant", tool_calls=None)),
        (piece({"reasoning": "a"}), piece({"reasoning": "b"})),
        (begun(), call('{"a"')),
        (call("1", index=1), call("2", index=1, type="function")),
        (text("a"), text("b") | {"created": 2}),
        (text(None, role="assistant"), text("a")),
        (text("", role="assistant"), begun()),
        (piece({"role": "assistant"}), piece({"reasoning": "a"})),
        (text("a"), piece({}, finish_reason="stop")),
        (call("1"), piece({"content": ""}, finish_reason="tool_calls") | {"usage": {"total_tokens": 3}}),
        (text("a"), {**piece({}), "choices": [], "usage": {"total_tokens": 3}}),
        (piece({}, finish_reason="stop"), {**piece({}), "choices": [], "usage": {"total_tokens": 3}}),
    ],
)
def test_more_of_the_same_is_joined(last: Piece, more: Piece) -> None:
    both = told([last, more])
    assert join(last, more)
    assert told([last]) == both


@pytest.mark.parametrize(
    ("last", "more"),
    [
        (text("a"), piece({}, finish_reason="stop", logprobs={"content": []})),
        (text("a"), piece({}, finish_reason="stop", index=1)),
        (text("a") | {"usage": {"total_tokens": 3}}, text("b")),
        (text("a") | {"usage": {"total_tokens": 3}}, piece({}, finish_reason="stop")),
        (piece({}, finish_reason="stop"), piece({}, finish_reason="length")),
        (text("a"), piece({"content": "b"}, finish_reason="stop")),
        (piece({"content": "a"}, finish_reason="stop"), text("b")),
        (text("a"), piece({"content": "b"}, logprobs={"content": []})),
        (text("a"), text("b") | {"usage": {"total_tokens": 3}}),
        (text("a"), text("b") | {"choices": []}),
        (text("a"), text("b") | {"timings": {"ms": 3}}),
        (text("a"), piece({"content": "b"}, index=1)),
        (text("a"), piece({"reasoning": "b"})),
        (text("a"), text("b", refusal="no")),
        (text("a"), call("{}")),
        (begun(), begun(1)),
        (begun(), call("{}", index=1)),
        (begun(), call("{}", id="call_2")),
        (text("a"), piece({"content": ["b"]})),
        (text("a"), {"choices": "b"}),
        (text("a"), {}),
    ],
)
def test_what_says_anything_else_stays_a_piece_of_its_own(last: Piece, more: Piece) -> None:
    before, after = deepcopy(last), deepcopy(more)
    assert not join(last, more)
    assert (last, more) == (before, after)


PIECES = st.one_of(
    st.sampled_from(["", "a", "海上"]).map(text),
    st.sampled_from(["x", "y"]).map(lambda said: piece({"reasoning": said})),
    st.tuples(st.sampled_from(["{", "1}"]), st.integers(0, 2)).map(lambda one: call(*one)),
    st.just(piece({}, finish_reason="stop")),
    st.just({**piece({}), "choices": [], "usage": {"total_tokens": 3}}),
)


@given(st.lists(PIECES, max_size=12))
def test_joined_pieces_say_what_all_of_them_said(pieces: list[Piece]) -> None:
    assert told(joined(pieces)) == told(pieces)
    assert len(joined(pieces)) <= len(pieces)


class Wire:
    """A stream that brings its bursts one after the other, as `more` is called; then it ends, or fails."""

    def __init__(self, *bursts: list[Piece], error: Exception | None = None) -> None:
        self._bursts, self._error = bursts, error
        self._next = asyncio.Semaphore(0)
        self.closed = False
        self.stopped = False

    def more(self) -> None:
        self._next.release()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        try:
            for burst in self._bursts:
                await self._next.acquire()
                for one in burst:
                    yield one
            await self._next.acquire()
        finally:
            self.stopped = True
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self.closed = True


async def read(wire: Wire) -> list[str]:
    found: list[str] = []
    async with Arrived(wire) as pieces:  # pyright: ignore[reportArgumentType]
        wire.more()
        async for one in pieces:
            found.append(told([one])["content"])
            wire.more()
    return found


async def test_what_arrives_together_is_told_together_and_nothing_waits() -> None:
    wire = Wire([text("a"), text("b")], [text("c")], [text("d"), text("e")])
    assert await read(wire) == ["ab", "c", "de"]
    assert wire.closed


async def test_an_error_comes_after_what_was_there_before_it() -> None:
    found: list[Piece] = []
    wire = Wire([text("a")], error=RuntimeError("broke off"))
    wire.more()
    wire.more()

    async def take_all() -> None:
        async for one in Arrived(wire):  # pyright: ignore[reportArgumentType]
            found.append(one)  # noqa: PERF401  # it raises in the middle

    with pytest.raises(RuntimeError, match="broke off"):
        await take_all()
    assert told(found)["content"] == "a"


async def test_a_reader_that_stops_leaves_nobody_reading() -> None:
    wire = Wire([text("a")], [text("b")])
    wire.more()
    async with Arrived(wire) as pieces:  # pyright: ignore[reportArgumentType]
        stream = aiter(pieces)
        await anext(stream)
        await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue]
    assert wire.stopped
    assert wire.closed


async def test_the_request_is_what_the_client_itself_would_send() -> None:
    asked: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((str(request.url), json.loads(request.content), request.headers.get("x-own")))
        lines = "".join(f"data: {json.dumps(one)}\n\n" for one in (text("a"), text("b")))
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, text=lines + "data: [DONE]\n\n"
        )

    client = openai.AsyncOpenAI(
        base_url="http://127.0.0.1:9/v1",
        api_key="none",
        http_client=openai.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(answer)),
    )
    payload: dict[str, Any] = {
        "model": "m",
        "messages": [],
        "stream": True,
        "stop": ["END"],
        "stream_options": {"include_usage": True},
        "extra_body": {"messages": [{"role": "user", "content": "海"}], "top_k": 3},
        "extra_headers": {"x-own": "1"},
        "extra_query": {"a": "b"},
        "timeout": 3,
    }
    plain = PlainCompletions(client)
    async with await plain.create(**payload) as pieces:
        assert "".join([told([one])["content"] async for one in pieces]) == "ab"
    async with await client.chat.completions.create(**payload) as stream:
        assert [chunk.choices[0].delta.content async for chunk in stream] == ["a", "b"]
    assert asked[0] == asked[1]
    assert asked[0][1]["messages"] == [{"role": "user", "content": "海"}]
    assert plain.with_raw_response is not None  # all else is the client's
