"""Inside the saver: lists as windows, bodies, parts and keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from motet.errors import StateCorrupt
from motet.memory.saver.bodies import (
    Body,
    Inline,
    Stored,
    Window,
    Windows,
    decode_body,
    deflate_body,
    encode_body,
    inflate_body,
    squeeze,
    unsqueeze,
)
from motet.memory.saver.cache import THREADS, Memory
from motet.memory.saver.lists import MAX_WINDOWS, KnownList, ListCache, plan
from motet.memory.saver.parts import Joiner, Splitter, digests_in
from motet.memory.saver.rows import ScopeName, pack_id, unpack_id
from motet.memory.serde import StrictSerializer


class Logs:
    """Append-only logs in a dictionary: what a plan says is done to them, and lists are read from them."""

    def __init__(self) -> None:
        self.items: dict[tuple[int, int], int] = {}
        self.last_log = 0

    def store(self, known: KnownList | None, values: list[int]) -> KnownList:
        """Store a list by its plan; a taken place means a fork, as in the database."""
        found = plan(known, values, self.last_log + 1)
        if found.new and (found.log_no, found.first_seq) in self.items:
            found = plan(known, values, self.last_log + 1, fork=True)
        self.last_log += found.new_log
        for seq, index in enumerate(found.new, start=found.first_seq):
            assert (found.log_no, seq) not in self.items
            self.items[found.log_no, seq] = values[index]
        return KnownList(found.windows, list(values), list(values))

    def read(self, known: KnownList) -> list[int]:
        return [self.items[w.log_no, seq] for w in known.windows for seq in range(w.lo, w.hi)]


def test_appending_lengthens_one_window() -> None:
    logs = Logs()
    known = None
    for size in range(1, 60):
        known = logs.store(known, list(range(size)))
        assert known.windows == (Window(1, 0, size),)
    assert len(logs.items) == 59


def test_trimming_the_head_writes_nothing() -> None:
    logs = Logs()
    known = logs.store(None, list(range(50)))
    known = logs.store(known, list(range(10, 50)))
    assert known.windows == (Window(1, 10, 50),)
    known = logs.store(known, list(range(11, 52)))
    assert known.windows == (Window(1, 11, 52),)
    assert len(logs.items) == 52


def test_an_edit_writes_the_edited_item_only() -> None:
    logs = Logs()
    known = logs.store(None, list(range(50)))
    known = logs.store(known, [*range(20), 1000, *range(21, 50)])
    assert known.windows == (Window(1, 0, 20), Window(1, 50, 51), Window(1, 21, 50))
    assert len(logs.items) == 51
    without = logs.store(known, [*range(20), *range(21, 50)])
    assert len(logs.items) == 51
    assert logs.read(without) == [*range(20), *range(21, 50)]


def test_a_fork_gets_a_log_of_its_own_and_keeps_the_rest() -> None:
    logs = Logs()
    base = logs.store(None, list(range(10)))
    one = logs.store(base, [*range(10), 100])
    two = logs.store(base, [*range(10), 200])
    assert one.windows == (Window(1, 0, 11),)
    assert two.windows == (Window(1, 0, 10), Window(2, 0, 1))
    two = logs.store(two, [*range(10), 200, 201])
    assert two.windows == (Window(1, 0, 10), Window(2, 0, 2))
    assert logs.read(one) == [*range(10), 100]


def test_too_many_pieces_are_written_anew() -> None:
    logs = Logs()
    known = logs.store(None, list(range(200)))
    known = logs.store(known, list(range(0, 200, 2)))
    assert len(known.windows) <= MAX_WINDOWS
    assert logs.read(known) == list(range(0, 200, 2))


_EDITS = st.lists(
    st.tuples(
        st.sampled_from(
            ["append", "trim", "drop_end", "remove", "replace", "insert", "swap", "back", "clear"]
        ),
        st.integers(0, 30),
        st.integers(0, 5),
    ),
    max_size=40,
)


def _edited(values: list[int], kind: str, at: int, new: list[int]) -> list[int]:
    """Return the list after an edit at an index."""
    count = len(new)
    return {
        "append": [*values, *new],
        "insert": [*values[:at], *new, *values[at:]],
        "replace": [*values[:at], *new, *values[at + count :]],
        "trim": values[count:],
        "drop_end": values[: len(values) - count],
        "remove": [*values[:at], *values[at + count :]],
        "swap": [*values[at:], *values[:at]],
        "clear": [],
    }[kind]


@given(_EDITS)
def test_any_history_of_edits_and_forks_reads_back(edits: list[tuple[str, int, int]]) -> None:
    logs, fresh = Logs(), 1000
    versions = [logs.store(None, list(range(5)))]
    for kind, place, count in edits:
        base = versions[place % len(versions)] if kind == "back" else versions[-1]
        at = place % (len(base.items) + 1)
        values = _edited(
            base.items, "append" if kind == "back" else kind, at, list(range(fresh, fresh + count))
        )
        fresh += 10
        versions.append(logs.store(base, values))
        assert versions[-1].items == values
    for version in versions:
        assert logs.read(version) == version.items
        assert len(version.windows) <= MAX_WINDOWS


def test_a_known_list_finds_its_stretches() -> None:
    known = KnownList((Window(1, 5, 8), Window(2, 0, 2), Window(1, 10, 12)), list("abcdefg"), list(range(7)))
    assert known.find(1, 0, 20) == (5, 8, 0)
    assert known.find(1, 6, 7) == (6, 7, 1)
    assert known.find(1, 8, 20) == (10, 12, 5)
    assert known.find(2, 1, 9) == (1, 2, 4)
    assert known.find(3, 0, 9) is None


def test_the_cache_of_lists_drops_the_oldest_by_items() -> None:
    cache = ListCache(10)
    for number in range(3):
        cache.put(1, str(number), KnownList((), list(range(4)), list(range(4))))
    assert cache.get(1, "0") is None
    assert cache.get(1, "1") is not None
    cache.put(1, "3", KnownList((), list(range(4)), list(range(4))))
    assert cache.get(1, "2") is None
    cache.drop(1, "1")
    cache.drop(1, "1")
    assert cache.get(1, "1") is None
    assert cache.get(1, "3") is not None


@pytest.mark.parametrize(
    ("max_items", "threads"), [(0, THREADS.start), (2000, 50), (1_000_000, THREADS.stop)]
)
def test_the_small_things_of_threads_follow_the_bound_of_items(max_items: int, threads: int) -> None:
    memory, scopes = Memory(max_items=max_items), [ScopeName("t", str(i), "") for i in range(300)]
    head: Any = object()
    for scope in scopes:
        memory.heads.put((scope, "c"), head)
        memory.dictionaries.put((scope.tenant_id, scope.thread_id, 1), head)
        memory.latest.put((scope.tenant_id, scope.thread_id, ""), head)
    for kept in (
        [memory.heads.get((scope, "c")) for scope in scopes],
        [memory.dictionaries.get((scope.tenant_id, scope.thread_id, 1)) for scope in scopes],
        [memory.latest.get((scope.tenant_id, scope.thread_id, "")) for scope in scopes],
    ):
        assert kept == [None] * (300 - threads) + [head] * threads


# Bodies


def _body(step: int) -> Body:
    versions: dict[str, Any] = {"messages": step, "count": step + 1, "branch:to:model": step + 2}
    return Body(
        v=4,
        ts=f"2026-11-23T15:00:{step % 60:02}.123456+00:00",
        versions=versions,
        seen={"__input__": {}, "prep": {"branch:to:prep": step}, "model": {"branch:to:model": step - 1}},
        updated=["count", "messages"],
        refs={"messages": Windows((Window(1, 0, step),)), "count": Inline(b"\x01"), "big": Stored(b"d" * 16)},
        metadata={
            "source": "loop",
            "step": step,
            "parents": {},
            "user": "somebody",
            "graph": "ensemble",
            "about": "x y z " * 9,
        },
    )


@pytest.mark.parametrize(
    "ts", ["2026-11-23T15:00:00.000001+00:00", "2026-11-23T15:00:00+00:00", "", "yesterday"]
)
@pytest.mark.parametrize("version", [3, 2.5, "00000000003.0.123"])
def test_a_body_comes_back_as_it_was(ts: str, version: Any) -> None:
    serde, body = StrictSerializer(), _body(7)
    body.ts, body.versions["odd"] = ts, version
    body.refs["empty"] = Windows(())
    body.missing_parent, body.more = "p", {"pending_sends": [1]}
    assert decode_body(encode_body(body, serde), serde) == body


def test_bodies_of_one_graph_take_a_fraction_of_their_size() -> None:
    serde = StrictSerializer()
    first, dictionary = deflate_body(encode_body(_body(10), serde), None)
    assert dictionary is not None
    later = encode_body(_body(3010), serde)
    deflated, same = deflate_body(later, dictionary)
    assert same == dictionary
    assert len(deflated) < len(later) / 4
    assert inflate_body(deflated, dictionary) == later
    assert decode_body(inflate_body(first, dictionary), serde) == _body(10)
    with pytest.raises(StateCorrupt):
        decode_body(inflate_body(deflated, None), serde)


def test_a_body_that_fits_badly_gets_a_new_dictionary() -> None:
    _, dictionary = deflate_body(bytes(range(256)) * 2, None)
    other = bytes(reversed(range(256))) * 2
    deflated, new = deflate_body(other, dictionary)
    assert new is not None
    assert new != dictionary
    assert inflate_body(deflated, new) == other


@given(st.binary(max_size=300), st.integers(0, 40))
def test_squeezed_bytes_come_back(data: bytes, times: int) -> None:
    assert unsqueeze(squeeze(data * times)) == data * times


def test_bytes_that_are_no_body_are_refused() -> None:
    serde = StrictSerializer()
    for broken in (b"", b"\xc1", serde.dumps(1), serde.dumps([1] * 10), serde.dumps({"a": 1})):
        with pytest.raises(StateCorrupt):
            decode_body(broken, serde)
    with pytest.raises(StateCorrupt):
        unsqueeze(b"\x01not deflated")


# Parts


def test_a_message_is_one_part_wherever_it_stands_and_whatever_its_id() -> None:
    serde = StrictSerializer()
    human = HumanMessage("x" * 400)
    in_input = Splitter(serde)
    first = in_input.dumps({"messages": [human]})
    human.id = "given by the reducer"
    in_list = Splitter(serde)
    second = in_list.dumps(human)
    assert in_input.parts == in_list.parts
    assert len(in_list.parts) == 1
    assert len(first) < 60
    assert digests_in([first, second]) == in_input.parts.keys()
    assert Joiner(serde, in_input.parts).loads(second) == human
    assert Joiner(serde, in_input.parts).loads(first)["messages"][0].id is None
    with pytest.raises(StateCorrupt, match="missing"):
        Joiner(serde, {}).loads(second)


def test_references_are_found_at_any_depth_and_short_messages_stay() -> None:
    serde = StrictSerializer()
    splitter = Splitter(serde)
    value = ({"a": [(AIMessage("y" * 400, id="1"), {"b": AIMessage("short")})]}, {1, 2})
    data = splitter.dumps(value)
    assert digests_in([data]) == splitter.parts.keys()
    assert len(splitter.parts) == 1
    assert Joiner(serde, splitter.parts).loads(data) == value
    with pytest.raises(StateCorrupt):
        digests_in([b"\xc1"])


# Keys


@pytest.mark.parametrize(
    "identifier",
    [
        "1f1e750a-07b3-6b42-8030-4e145c93b41c",
        "00000000-0000-0000-0000-000000000000",
        "00ffffff-0000-0000-0000-000000000000",
        "1F1E750A-07B3-6B42-8030-4E145C93B41C",
        "any text",
        "fifteen letters",
        "文",
        "\ud800",
        "",
    ],
)
def test_ids_of_any_form_are_kept(identifier: str) -> None:
    assert unpack_id(pack_id(identifier)) == identifier


def test_ids_never_share_a_key() -> None:
    usual = "1f1e750a-07b3-6b42-8030-4e145c93b41c"
    assert len(pack_id(usual)) == 16
    keys = {pack_id(text) for text in (usual, usual.upper(), usual.replace("-", ""), "x" * 15, "x" * 16)}
    assert len(keys) == 5


def test_a_namespace_has_a_shape_without_the_ids_of_tasks() -> None:
    assert ScopeName("t", "th", "sub:1b3c|inner:77").shape == "sub|inner"
    assert ScopeName("t", "th", "").shape == ""
