"""The strict serializer: what goes in comes out, and nothing is ever called."""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.store.base import Item
from langgraph.types import Command, Interrupt, Overwrite, Send
from pydantic import BaseModel, PrivateAttr

from motet.errors import InvalidInput, StateCorrupt
from motet.events import Passage, PlanStep
from motet.memory.serde import TYPE_NAME, StrictSerializer

CALLED: list[str] = []


def canary(argument: str) -> str:
    """What a stored value must never be able to call."""
    CALLED.append(argument)
    return argument


class Colour(enum.Enum):
    RED = "red"


class Place(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Note:
    text: str
    tags: list[str] = field(default_factory=list[str])


class Profile(BaseModel):
    name: str
    notes: list[Note] = []
    _seen: int = PrivateAttr(default=0)


AT = datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))

KEPT: list[Any] = [
    None,
    True,
    1.5,
    -(2**63),
    2**64,
    -(2**200),
    "音楽",
    "\ud800 alone",
    b"\x00\xff",
    [1, (2, (3,)), {"a": [None]}],
    {1, 2},
    frozenset({"a"}),
    deque([1, 2], 5),
    {1: "a", None: "b", (1, 2): "c", "\udfff": "d"},
    {frozenset({1}): 2},
    AT,
    AT.replace(tzinfo=None, fold=1),
    datetime(2026, 1, 1, tzinfo=UTC),
    date(2026, 1, 1),
    time(1, 2, 3, tzinfo=timezone(timedelta(hours=8))),
    timedelta(days=-1, microseconds=3),
    UUID(int=7),
    Decimal("1.10"),
    Path("/a/文"),
    re.compile("a.*", re.IGNORECASE),
    ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"),
    ZoneInfo("Asia/Shanghai"),
    HumanMessage("hi", id="1", custom={"deep": (1, 2)}),
    AIMessage(
        [{"type": "text", "text": "x"}],
        tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    ),
    AIMessageChunk(content="part", id="2"),
    ToolMessage("out", tool_call_id="c1", status="error", artifact=Note("n", ["t"])),
    RemoveMessage(id="gone"),
    Document("text", metadata={"page": 1}, id="d"),
    Send("node", {"messages": [HumanMessage("x")]}),
    Send("node", 1, timeout=2.5),
    Command(update={"a": 1}, goto=["x", Send("y", 2)], resume={"id": 3}),
    Interrupt("really?", id="i"),
    Overwrite([1, 2]),
    Item(value={"a": 1}, key="k", namespace=("a", "b"), created_at=AT, updated_at=AT),
    PlanStep(step_id=1, agent="worker", task="t", depends_on=[2]),
    Passage(passage_id="p", text="t", source="s", page=3),
    Colour.RED,
    Place(1, 2),
    Note("n", ["a"]),
    Profile(name="n", notes=[Note("m")]),
    _DeltaSnapshot([HumanMessage("a")]),
]


@pytest.fixture
def serde() -> StrictSerializer:
    return StrictSerializer([Colour, Place, Note, Profile])


@pytest.mark.parametrize("value", KEPT, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was(serde: StrictSerializer, value: Any) -> None:
    back = serde.loads(serde.dumps(value))
    assert back == value
    assert type(back) is type(value)
    assert serde.loads_typed(serde.dumps_typed(value)) == value


def test_arrays_keep_shape_and_type(serde: StrictSerializer) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    back = serde.loads(serde.dumps([array, np.float32(0.5)]))
    assert back[0].dtype == array.dtype
    assert np.array_equal(back[0], array)
    assert back[1] == np.float32(0.5)
    back[0][0, 0] = 9  # what was read can be written to


def test_private_attributes_and_times_in_the_fold_are_kept(serde: StrictSerializer) -> None:
    profile = Profile(name="n")
    profile._seen = 3
    assert serde.loads(serde.dumps(profile))._seen == 3
    assert serde.loads(serde.dumps(AT.replace(fold=1))).fold == 1


def test_an_exception_is_kept_as_its_text(serde: StrictSerializer) -> None:
    assert serde.loads(serde.dumps(ValueError("no"))) == "ValueError('no')"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
        ),
        max_leaves=20,
    )
)
def test_any_plain_value_comes_back(value: Any) -> None:
    serde = StrictSerializer()
    assert serde.loads(serde.dumps(value)) == value


# S-01: data that looks like a constructor stays data


@pytest.mark.parametrize(
    "envelope",
    [
        {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": ["true"]},
        {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "true"}},
        {"lc": 2, "type": "constructor", "id": [__name__, "canary"], "method": "__call__", "args": ["x"]},
        {"lc": 1, "type": "secret", "id": ["MOTET_SECRET_KEY"]},
        {"text": "\ud800", "lc": 2, "type": "constructor", "id": [__name__, "canary"], "args": ["x"]},
    ],
)
def test_an_envelope_comes_back_as_data(serde: StrictSerializer, envelope: dict[str, Any]) -> None:
    CALLED.clear()
    for value in (envelope, [envelope], HumanMessage("x", additional_kwargs=envelope), ("\ud800", envelope)):
        assert serde.loads(serde.dumps(value)) == value
    assert CALLED == []


# S-02: bytes that name a function are refused, and the function is not called


def _gadget(code: int) -> bytes:
    payload = {
        0: (__name__, "canary", "x"),
        1: (__name__, "canary", ("x",)),
        2: (__name__, "canary", {"argument": "x"}),
        3: (__name__, "canary", "x", "__call__"),
        4: (__name__, "canary", {"argument": "x"}),
        5: (__name__, "canary", {"argument": "x"}, "model_validate_json"),
    }[code]
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(payload)))


def test_the_gadget_works_where_it_is_let(monkeypatch: pytest.MonkeyPatch) -> None:
    """LangGraph's own default calls it: the test below would notice."""
    CALLED.clear()
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", _gadget(0)))
    assert CALLED == ["x"]


@pytest.mark.parametrize("code", range(6))
def test_a_gadget_is_never_called(serde: StrictSerializer, code: int) -> None:
    CALLED.clear()
    try:
        value = serde.loads(_gadget(code))
    except StateCorrupt:
        pass
    else:  # the code means a tuple or a set here: the names are data
        assert "canary" in value
    assert CALLED == []


def test_a_class_that_is_not_registered_is_refused_both_ways(serde: StrictSerializer) -> None:
    with pytest.raises(InvalidInput, match=r"Note cannot be stored.*types=\[Note\]"):
        StrictSerializer().dumps({"a": [Note("x")]})
    with pytest.raises(StateCorrupt, match=r"Note.*not known here"):
        StrictSerializer().loads(serde.dumps(Note("x")))
    for tag in ("os:system", f"{__name__}:canary", "human "):
        with pytest.raises(StateCorrupt, match="not known here"):
            serde.loads(ormsgpack.packb(ormsgpack.Ext(32, ormsgpack.packb([tag, {}]))))


@pytest.mark.parametrize("kind", ["pickle", "json", "msgpack", "null", "bytes", ""])
def test_other_types_are_not_read(serde: StrictSerializer, kind: str) -> None:
    with pytest.raises(StateCorrupt, match="not read"):
        serde.loads_typed((kind, b"\x80\x04."))
    assert serde.dumps_typed(1)[0] == TYPE_NAME


def test_the_reason_is_found_at_any_depth_and_at_once(serde: StrictSerializer) -> None:
    value: Any = Note("deep down")
    for _ in range(60):
        value = (value,)
    data = serde.dumps(value)
    assert serde.loads(data) == value
    with pytest.raises(StateCorrupt, match=r"Note.*not known here"):
        StrictSerializer().loads(data)
    with pytest.raises(InvalidInput, match=r"Note cannot be stored"):
        StrictSerializer().dumps(value)


@given(st.binary(max_size=60))
def test_broken_bytes_are_an_error_of_ours(data: bytes) -> None:
    serde = StrictSerializer()
    with contextlib.suppress(StateCorrupt):
        serde.loads(data)


def test_what_cannot_be_stored_says_so(serde: StrictSerializer) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidInput, match="nested too deeply"):
        serde.dumps(loop)
    with pytest.raises(InvalidInput, match="Python objects"):
        serde.dumps(np.array([object()]))
    with pytest.raises(InvalidInput, match=r"builtins\.object"):
        serde.dumps(HumanMessage("x", additional_kwargs={"o": object()}))


def test_only_some_kinds_of_classes_can_be_registered() -> None:
    class Plain:
        pass

    with pytest.raises(InvalidInput, match="cannot be registered"):
        StrictSerializer([Plain])
    serde = StrictSerializer([Note])
    assert serde.with_types([Note]) is serde
    assert serde.with_types([Place]).loads(serde.with_types([Place]).dumps(Place(1, 2))) == Place(1, 2)


# Fingerprints


def test_any_change_of_a_message_changes_its_fingerprint(serde: StrictSerializer) -> None:
    message = AIMessage(
        "x", id="1", tool_calls=[{"name": "a", "args": {"q": [1]}, "id": "c"}], extra_field={"z": 1}
    )
    first = serde.print_of(message)
    assert serde.print_of(message) == first
    seen = {first}
    changes = [
        lambda: setattr(message, "content", "y"),
        lambda: setattr(message, "id", "2"),
        lambda: setattr(message, "name", "n"),
        lambda: message.tool_calls[0]["args"]["q"].append(2),
        lambda: message.tool_calls.append({"name": "b", "args": {}, "id": "d"}),
        lambda: message.additional_kwargs.update(k=1),
        lambda: message.response_metadata.update(k=1),
        lambda: message.additional_kwargs.update(k=True),
        lambda: setattr(
            message, "usage_metadata", {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        ),
        lambda: (message.__pydantic_extra__ or {})["extra_field"].update(z=2),
    ]
    for change in changes:
        change()
        print_now = serde.print_of(message)
        assert print_now not in seen
        seen.add(print_now)


def test_fingerprints_tell_classes_apart(serde: StrictSerializer) -> None:
    assert serde.print_of(AIMessage("x")) != serde.print_of(AIMessage("x", name="n"))
    assert serde.print_of((1, 2)) != serde.print_of([1, 2])
    assert serde.print_of(AIMessage("\ud800")) != serde.print_of(AIMessage("\ud801"))
