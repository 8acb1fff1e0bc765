"""Secrets in events: none is told, wherever a stream splits it."""

import dataclasses
import itertools
from typing import Any

import pytest
from studio import Studio

from motet.events import (
    Event,
    MessageCompleted,
    MessageDelta,
    RunCompleted,
    RunFailed,
    StreamPart,
    ToolCompleted,
)
from motet.runs.redact import CleanEvents
from motet.telemetry import HIDDEN, Redactor

SECRET = "sk-abcabcabd-0123456789"
OTHER = "a second secret 和 more"
TEXT = f"它是 {SECRET}, and {OTHER}; sk-abc is none."
CLEAN = f"它是 {HIDDEN}, and {HIDDEN}; sk-abc is none."


def cleaned(events: list[Event]) -> list[Event]:
    clean = CleanEvents(Redactor([SECRET, OTHER]))
    return [told for event in events for told in clean.of(event)]


def said(events: list[Event], message_id: str = "m") -> str:
    return "".join(e.text for e in events if isinstance(e, MessageDelta) and e.message_id == message_id)


def part(text: Any, mode: str = "messages") -> StreamPart:
    chunk = {"type": "AIMessageChunk", "id": "m", "content": text}
    data: Any = [chunk, {"langgraph_node": "n"}]
    if mode == "events":
        data = {"event": "on_chat_model_stream", "run_id": "r", "data": {"chunk": chunk}}
    return StreamPart(mode=mode, data=data)


@pytest.mark.parametrize("size", range(1, len(SECRET) + 2))
def test_a_secret_split_over_pieces_of_any_size_is_not_told(size: int) -> None:
    for offset in range(size):
        cuts = [0, *range(offset or size, len(TEXT), size), len(TEXT)]
        pieces = [TEXT[a:b] for a, b in itertools.pairwise(cuts)]
        deltas: list[Event] = [MessageDelta(message_id="m", text=one) for one in pieces]
        told = cleaned([*deltas, MessageCompleted(message_id="m", role="assistant", text=TEXT)])
        assert said(told) == CLEAN
        assert isinstance(told[-1], MessageCompleted)
        assert told[-1].text == CLEAN


@pytest.mark.parametrize("mode", ["messages", "events"])
@pytest.mark.parametrize("blocks", [False, True])
def test_pieces_of_langgraphs_own_stream_are_cleaned_likewise(mode: str, blocks: bool) -> None:
    for cut in range(1, len(TEXT)):
        pieces: list[Any] = [TEXT[:cut], TEXT[cut:]]
        if blocks:
            pieces = [[{"type": "text", "text": one, "index": 0}] for one in pieces]
        told = cleaned([*(part(one, mode) for one in pieces), RunCompleted(output={})])
        texts = ""
        for event in told[:-1]:
            assert isinstance(event, StreamPart)
            chunk = event.data[0] if mode == "messages" else event.data["data"]["chunk"]
            content = chunk["content"]
            texts += content[0]["text"] if isinstance(content, list) else content
        assert texts == CLEAN


def test_what_comes_between_two_halves_lets_neither_out() -> None:
    halves = [MessageDelta(message_id="m", text=one) for one in (SECRET[:9], SECRET[9:] + "!")]
    between: list[Event] = [
        MessageDelta(message_id="other", text="hello"),
        StreamPart(mode="values", data={"n": 1}),
        MessageCompleted(message_id="other", role="assistant", text="hello"),
    ]
    told = cleaned([halves[0], *between, halves[1], RunCompleted(output={})])
    assert said(told) == f"{HIDDEN}!"
    assert said(told, "other") == "hello"


def test_a_beginning_that_goes_on_otherwise_is_told_whole_and_what_is_held_at_the_end_too() -> None:
    told = cleaned([MessageDelta(message_id="m", text="sk-abc"), MessageDelta(message_id="m", text="x sk-")])
    assert said(told) == "sk-abcx "
    error = RunFailed(error={"code": "x", "message": f"no {SECRET}", "fields": {}})
    told = cleaned([MessageDelta(message_id="m", text="it is sk-abcabc"), error])
    assert said(told) == "it is sk-abcabc"
    assert isinstance(told[-1], RunFailed)
    assert told[-1].error["message"] == f"no {HIDDEN}"


def test_other_events_are_cleaned_whole_and_other_forms_are_seen() -> None:
    forms = (
        "a%20second%20secret%20%E5%92%8C%20more YSBzZWNvbmQgc2VjcmV0IOWSjCBtb3Jl a second secret \\u548c more"
    )
    event = ToolCompleted(tool_call_id="1", name="shell", content=forms)
    [told] = cleaned([event])
    assert isinstance(told, ToolCompleted)
    assert told.content == f"{HIDDEN} {HIDDEN} {HIDDEN}"
    plain = ToolCompleted(tool_call_id="1", name="shell", content="nothing")
    assert cleaned([plain])[0] is plain


async def test_a_run_tells_its_log_no_secret(studio: Studio) -> None:
    """Through the engine, to the disk."""
    studio.engine = dataclasses.replace(studio.engine, redactor=Redactor([SECRET]))
    await studio.work()
    run = await studio.submit(f"x{SECRET}", graph="fail")
    [*_, last] = await studio.events(run.run_id)
    assert isinstance(last, RunFailed)
    assert last.error["message"] == f"RuntimeError: no luck with x{HIDDEN}"
