import json
import sys
from types import UnionType
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from motet.events import (
    EVENT,
    TERMINAL,
    Custom,
    Event,
    MessageCompleted,
    MessageDelta,
    Notice,
    Passage,
    PlanStep,
    Recorded,
    ToolStarted,
    encode,
)

UNION: UnionType = get_args(Event)[0]
MEMBERS: tuple[type[BaseModel], ...] = get_args(UNION)

plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
numbers = st.integers(-(2**53), 2**53)
floats = st.floats(allow_nan=False, allow_infinity=False)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    bool: st.booleans(),
    int: numbers,
    float: floats,
    int | None: st.none() | numbers,
    float | None: st.none() | floats,
    Any: plain_json,
    dict[str, Any]: st.dictionaries(st.text(), plain_json, max_size=3),
    dict[str, Any] | None: st.none() | st.dictionaries(st.text(), plain_json, max_size=3),
    list[int]: st.lists(numbers, max_size=3),
}


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return instances(kind)
    if getattr(kind, "__origin__", None) is list:
        return st.lists(strategy(get_args(kind)[0]), max_size=2)
    return st.sampled_from(get_args(kind))  # a Literal


def instances(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Values of a model, optional fields left out at times."""
    fields = {name: strategy(field.annotation) for name, field in model.model_fields.items()}
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    required = {name: fields[name] for name in fields.keys() - optional}
    return st.fixed_dictionaries(required, optional={name: fields[name] for name in optional}).map(
        lambda values: model(**values)
    )


events: st.SearchStrategy[Any] = st.one_of([instances(member) for member in MEMBERS])


def kind_of(member: type[BaseModel]) -> str:
    return member.model_fields["type"].default


@pytest.mark.parametrize("member", MEMBERS, ids=kind_of)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_every_event_survives_the_trip_through_json(member: type[BaseModel], data: st.DataObject) -> None:
    event = data.draw(instances(member))
    back = EVENT.validate_json(EVENT.dump_json(event))
    assert type(back) is member
    assert back == event
    assert EVENT.validate_python(json.loads(EVENT.dump_json(event))) == event


def test_every_type_is_said_once_and_the_last_words_are_among_them() -> None:
    kinds = [kind_of(member) for member in MEMBERS]
    assert len(kinds) == len(set(kinds)) == 23
    assert set(kinds) >= TERMINAL
    assert {"run.completed", "run.failed", "run.cancelled", "run.interrupted"} == TERMINAL


@pytest.mark.parametrize("model", [*MEMBERS, Passage, PlanStep], ids=lambda model: model.__name__)
@settings(deadline=None, max_examples=3)
@given(data=st.data())
def test_a_field_too_many_is_refused(model: type[BaseModel], data: st.DataObject) -> None:
    values = data.draw(instances(model)).model_dump()
    with pytest.raises(ValidationError, match="surprise"):
        model.model_validate(values | {"surprise": 1})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"type": "no.such.event"},
        {"type": "notice"},
        {"type": "notice", "text": "x", "level": "fatal"},
        {"type": "run.started", "attempt": "often"},
        "text",
        None,
    ],
)
def test_what_is_no_event_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_python(value)


def test_events_cannot_be_changed() -> None:
    event = Notice(text="x")
    with pytest.raises(ValidationError):
        event.text = "y"  # pyright: ignore[reportAttributeAccessIssue]


@settings(deadline=None, max_examples=50)
@given(event=events, seq=numbers, at=floats)
def test_a_line_is_flat_plain_json_and_its_event_can_be_read_back(event: Any, seq: int, at: float) -> None:
    recorded = Recorded(run_id="r", thread_id="t", seq=seq, at=at, event=event)
    line = json.loads(json.dumps(recorded.to_line()))
    place = {"seq": seq, "thread_id": "t", "run_id": "r", "ts": at}
    assert {key: line.pop(key) for key in place} == place
    assert EVENT.validate_python(line) == event


def test_no_event_has_a_field_that_its_line_would_hide() -> None:
    for member in MEMBERS:
        assert not {"seq", "thread_id", "run_id", "ts"} & member.model_fields.keys(), member


def test_a_line_begins_with_its_type_and_place() -> None:
    recorded = Recorded(
        run_id="r", thread_id="t", seq=3, at=1.5, event=MessageDelta(message_id="m", text="海")
    )
    assert json.dumps(recorded.to_line(), ensure_ascii=False) == (
        '{"type": "message.delta", "seq": 3, "thread_id": "t", "run_id": "r", "ts": 1.5, '
        '"message_id": "m", "text": "海"}'
    )


def test_a_recorded_event_survives_the_trip_through_json() -> None:
    recorded = Recorded(run_id="r", thread_id="t", seq=1, at=0.0, event=Notice(text="x", level="warning"))
    assert Recorded.model_validate_json(recorded.model_dump_json()) == recorded


@pytest.mark.parametrize(
    "event",
    [
        MessageDelta(message_id="m", text="half \ud83d a face"),
        MessageCompleted(message_id="m", role="assistant", text="\udfff"),
        ToolStarted(tool_call_id="c", name="look", arguments={"a": ["x\ud800"], "k\udc00": 1}),
        Custom(data={"deep": [{"er": "\ud83d\ud83d"}]}),
    ],
    ids=lambda event: event.type,
)
def test_half_a_character_becomes_a_replacement_character_on_its_way_to_disk(event: Event) -> None:
    kept, text = encode(event)
    assert EVENT.validate_json(text) == kept
    assert "\ufffd" in text
    assert kept.type == event.type
    assert encode(kept) == (kept, text)


@settings(deadline=None, max_examples=50)
@given(event=events)
def test_any_other_event_is_stored_as_it_is(event: Any) -> None:
    assert encode(event) == (event, EVENT.dump_json(event).decode())


def test_what_was_read_is_not_kept() -> None:
    lines = [EVENT.dump_json(MessageDelta(message_id=f"m{i}", text=f"piece {i}")) for i in range(2000)]
    before = sys.getallocatedblocks()
    for line in lines:
        EVENT.validate_json(line)
    assert sys.getallocatedblocks() - before < 500  # two strings a line would be 4,000
