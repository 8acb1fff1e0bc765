"""The bytes of a run's stream on the Agent Server wire: the same events in, exactly these bytes out."""

from pathlib import Path
from typing import Any

import pytest

from motet import events
from motet.errors import InvalidInput
from motet.events import Recorded
from motet.runs.drive import Drive
from motet.runs.lookup import FoundRun
from motet.runs.request import RunJob, RunOptions, RunRecord
from motet.server.protocols.agent_server.stream import Encoder, place_of

GOLDEN = Path(__file__).parent / "golden"

RUN, THREAD = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"


def found(*record: Any) -> FoundRun:
    one: Any = {"run_id": RUN, "thread_id": THREAD, "graph": "g"}
    record_ = RunRecord(
        **one,
        status="success",
        attempt=1,
        retries=0,
        error=None,
        created_at=0,
        started_at=0,
        ended_at=0,
        last_seq=99,
    )
    job = RunJob(
        **one, tenant_id="t", owner_id="o", input={}, options=RunOptions(), drive=Drive(record=list(record))
    )
    return FoundRun(record_, job, undone=False)


def log(*told: events.Event) -> list[Recorded]:
    return [
        Recorded(run_id=RUN, thread_id=THREAD, seq=seq, at=0.0, event=event)
        for seq, event in enumerate(told, 1)
    ]


def piece(text: str, **more: Any) -> list[Any]:
    chunk = {"type": "AIMessageChunk", "id": "m1", "content": text, **more}
    return [chunk, {"langgraph_node": "model"}]


RECORDED = log(
    events.RunAccepted(graph="g", input={"n": 1}),
    events.RunStarted(attempt=1),
    events.StreamPart(mode="values", data={"n": 1}),
    events.StreamPart(mode="messages", data=piece("你")),
    events.MessageDelta(message_id="m1", text="你"),
    events.StreamPart(mode="messages", namespace=["inner:1"], data=piece("好\n", chunk_position="last")),
    events.StreamPart(mode="updates", data={"model": {"n": 2}}),
    events.StreamPart(mode="debug", data={"type": "checkpoint", "payload": {"config": {"configurable": {
        "thread_id": "t", "checkpoint_id": "c", "level": 1}}, "parent_config": None}}),
    events.RunFailed(
        error={"code": "run_error", "message": "ValueError: no luck", "fields": {"error_type": "ValueError"}}
    ),
)  # fmt: skip

UNRECORDED = log(
    events.RunAccepted(graph="g", input={"messages": [{"type": "human", "content": "hi", "id": "h"}]}),
    events.RunStarted(attempt=1),
    events.StepStarted(step_id=1, agent="worker", task="数"),
    events.MessageDelta(message_id="m1", text="He"),
    events.MessageDelta(message_id="m1", text="llo"),
    events.MessageCompleted(message_id="m1", role="assistant", text="Hello"),
    events.RunCompleted(output={"messages": [{"type": "ai", "content": "Hello", "id": "m1"}]}),
)

CASES: dict[str, tuple[FoundRun, list[Recorded], list[str] | None]] = {
    "recorded": (found("values", "messages", "updates", "debug"), RECORDED, None),
    "messages": (found("values", "messages", "updates", "debug"), RECORDED, ["messages", "values"]),
    "made": (found(), UNRECORDED, None),
    "made_messages": (found(), UNRECORDED, ["messages", "updates"]),
}


def told(run: FoundRun, events_: list[Recorded], modes: list[str] | None, seen: str = "") -> list[bytes]:
    encoder = Encoder(run, modes, seen)
    return [
        frame for recorded in events_ if recorded.seq > encoder.after for frame in encoder.encode(recorded)
    ]


@pytest.mark.parametrize("name", CASES)
def test_the_same_events_are_the_same_bytes(name: str) -> None:
    path = GOLDEN / f"agent_server_{name}.sse"
    assert b"".join(told(*CASES[name])) == path.read_bytes()


@pytest.mark.parametrize("name", CASES)
def test_whoever_comes_back_gets_exactly_what_is_missing(name: str) -> None:
    run, events_, modes = CASES[name]
    whole = told(run, events_, modes)
    ids = [frame.split(b"\r\nid: ")[1].split(b"\r\n")[0].decode() for frame in whole]
    assert len(set(ids)) == len(ids)
    for number, event_id in enumerate(ids, 1):
        assert told(run, events_, modes, event_id) == whole[number:]


def test_an_id_of_another_run_is_no_id_here() -> None:
    assert place_of("3-1.0a1b2c3d", RUN) == (3, 1)
    for bad in ("3-1.ffffffff", "3-1", "3", "x", "-3-1.0a1b2c3d", "3-1.0a1b2c3d\n2"):
        with pytest.raises(InvalidInput):
            place_of(bad, RUN)
