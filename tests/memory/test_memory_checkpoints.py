"""The saver as LangGraph uses it: what the conformance suite leaves out."""

from __future__ import annotations

import asyncio
import operator
import time
from typing import Annotated, Any, TypedDict

import pytest
from conversation import KEY, ColdSaver, State, asked, build, human, row_counts, stored_bytes, text, thread
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, _messages_delta_reducer, add_messages
from langgraph.types import Command, Overwrite, Send, interrupt
from pydantic import BaseModel

from motet.errors import InvalidInput
from motet.memory.checkpoints import MotetSaver


def last_six(left: Any, right: Any) -> Any:
    whole: Any = add_messages(left, right)
    return whole[-6:]


class Bounded(TypedDict):
    messages: Annotated[list[Any], last_six]
    count: int


delta_reducer: Any = _messages_delta_reducer


class Delta(TypedDict):
    messages: Annotated[list[Any], DeltaChannel(delta_reducer, snapshot_frequency=4)]
    count: int


class Fan(TypedDict):
    done: Annotated[list[int], operator.add]


class Mood(BaseModel):
    name: str


class Moody(TypedDict):
    mood: Mood


async def test_a_conversation_goes_on_after_a_restart(url: str) -> None:
    for turn in range(5):
        with MotetSaver.from_url(url, secret_key=KEY) as saver:
            await build(saver).ainvoke(human(turn), thread())
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        state = await build(saver).aget_state(thread())
        assert asked(state.values) == [f"q{turn}" for turn in range(5)]
        assert state.values["count"] == 10
        assert state.next == ()


def test_sync_and_async_see_the_same(saver: MotetSaver) -> None:
    graph = build(saver)
    graph.invoke(human(0), thread())
    asyncio.run(graph.ainvoke(human(1), thread()))
    assert asked(graph.get_state(thread()).values) == ["q0", "q1"]
    history = list(graph.get_state_history(thread()))
    assert len(history) == 10

    async def whole() -> list[Any]:
        return [state async for state in graph.aget_state_history(thread())]

    assert asyncio.run(whole()) == history
    assert len(list(graph.get_state_history(thread(), limit=3))) == 3
    assert [s.metadata["source"] for s in graph.get_state_history(thread(), filter={"source": "input"})] == [
        "input"
    ] * 2


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_with_nothing_in_memory_everything_is_found(url: str, durability: Any) -> None:
    """As if the process had restarted between any two calls."""
    with ColdSaver.from_url(url, secret_key=KEY) as cold:
        graph = build(cold)
        for turn in range(4):
            await graph.ainvoke(human(turn), thread(), durability=durability)
        cold_history = [state async for state in graph.aget_state_history(thread())]
        rows = row_counts(cold)
    with MotetSaver.from_url(url, secret_key=KEY) as warm:
        graph = build(warm)
        assert [state async for state in graph.aget_state_history(thread())] == cold_history
        assert asked(cold_history[0].values) == ["q0", "q1", "q2", "q3"]
        assert rows["list_items"] == 8


def test_a_long_history_is_listed_to_its_end(saver: MotetSaver) -> None:
    graph = build(saver)
    for turn in range(30):
        graph.invoke(human(turn), thread())
    steps = [found.metadata.get("step") for found in saver.list(thread())]
    assert steps == list(range(148, -2, -1))
    assert [found.metadata.get("step") for found in saver.list(thread(), limit=70)] == steps[:70]
    inputs = [found.metadata.get("step") for found in saver.list(thread(), filter={"source": "input"})]
    assert inputs == list(range(144, -2, -5))
    assert [
        found.metadata.get("step") for found in saver.list(thread(), filter={"source": "input"}, limit=20)
    ] == inputs[:20]
    before = next(found.config for found in saver.list(thread(), filter={"step": 100}))
    assert [found.metadata.get("step") for found in saver.list(thread(), before=before)] == list(
        range(99, -2, -1)
    )


async def test_a_clock_that_is_behind_loses_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        MotetSaver.from_url(url, secret_key=KEY) as ahead,
        MotetSaver.from_url(url, secret_key=KEY) as behind,
    ):
        await build(ahead).ainvoke(human(0), thread())
        await build(ahead).ainvoke(human(1), thread())
        newest = (await build(ahead).aget_state(thread())).config["configurable"]["checkpoint_id"]
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() - 2_000_000_000)
        monkeypatch.setattr("langgraph.checkpoint.base.id._last_v6_timestamp", None)
        await build(behind).ainvoke(human(2), thread())
        await build(behind).ainvoke(human(3), thread())
        for saver in (ahead, behind):
            state = await build(saver).aget_state(thread())
            assert state.config["configurable"]["checkpoint_id"] < newest, "the clock was not behind"
            assert asked(state.values) == ["q0", "q1", "q2", "q3"]
        ids = [
            s.config["configurable"]["checkpoint_id"] async for s in build(ahead).aget_state_history(thread())
        ]
        assert ids != sorted(ids, reverse=True)
        assert len(ids) == 20


async def test_many_threads_at_once(saver: MotetSaver) -> None:
    graph = build(saver)

    async def talk(name: str) -> None:
        for turn in range(3):
            await graph.ainvoke(human(turn), thread(name))

    await asyncio.gather(*(talk(f"thread {number}") for number in range(8)))
    for number in range(8):
        assert asked((await graph.aget_state(thread(f"thread {number}"))).values) == ["q0", "q1", "q2"]


async def test_two_branches_from_one_parent_lose_nothing(url: str) -> None:
    """Two savers, each sure to be the only one, append to the same list at the same time."""
    with MotetSaver.from_url(url, secret_key=KEY) as one, MotetSaver.from_url(url, secret_key=KEY) as two:
        await build(one).ainvoke(human(0), thread())
        config = (await build(one).aget_state(thread())).config
        await build(two).aget_state(thread())
        ends: list[Any] = []
        for number in range(1, 4):
            both = (
                build(saver).aupdate_state(config, human(10 * number + index))
                for index, saver in enumerate((one, two))
            )
            ends += await asyncio.gather(*both)
        expected = [f"q{10 * number + index}" for number in range(1, 4) for index in (0, 1)]
    with MotetSaver.from_url(url, secret_key=KEY) as fresh:
        found = [asked((await build(fresh).aget_state(end)).values) for end in ends]
    assert found == [["q0", question] for question in expected]


async def test_a_fork_of_an_old_checkpoint_leaves_the_first_line_as_it_was(saver: MotetSaver) -> None:
    graph = build(saver)
    for turn in range(3):
        await graph.ainvoke(human(turn), thread())
    before = [state async for state in graph.aget_state_history(thread())]
    old = next(state for state in before if asked(state.values) == ["q0"] and state.next == ())
    items = row_counts(saver)["list_items"]
    fork = await graph.aupdate_state(
        old.config, {"messages": [HumanMessage("instead", id="f0")]}, as_node="post"
    )
    await graph.ainvoke(human(7), fork)
    assert asked((await graph.aget_state(thread())).values) == ["q0", "f0", "q7"]
    assert row_counts(saver)["list_items"] == items + 3
    history = [state async for state in graph.aget_state_history(thread())]
    assert history[-len(before) :] == before
    assert asked((await graph.aget_state(before[0].config)).values) == ["q0", "q1", "q2"]


async def test_a_copied_checkpoint_has_its_own_values(saver: MotetSaver) -> None:
    """LangGraph puts a copy beside the original: its parent, no new versions, other values than the parent's."""
    graph = build(saver)
    await graph.ainvoke(human(0), thread())
    await graph.ainvoke(human(1), thread())
    newest = await graph.aget_state(thread())
    copied = await graph.aupdate_state(newest.config, None, as_node="__copy__")
    assert copied["configurable"]["checkpoint_id"] != newest.config["configurable"]["checkpoint_id"]
    assert (await graph.aget_state(thread())).values == newest.values


async def test_a_change_in_place_is_stored_and_the_past_stays(url: str) -> None:
    def redact(state: Any) -> dict[str, Any]:
        first = state["messages"][0]
        first.content = "redacted"
        first.additional_kwargs["by"] = "test"
        state["messages"][1].tool_calls.append({"name": "late", "args": {}, "id": "c"})
        return {"messages": [AIMessage("done", id="done")]}

    graph: Any = StateGraph(State)
    graph.add_node("redact", redact)
    graph.add_edge(START, "redact")
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        talk, edit = build(saver), graph.compile(checkpointer=saver)
        await talk.ainvoke(human(0), thread())
        await talk.ainvoke(human(1), thread())
        before = (await talk.aget_state(thread())).config
        await edit.ainvoke({"messages": []}, thread())
        in_process = (await talk.aget_state(before)).values["messages"]
    with MotetSaver.from_url(url, secret_key=KEY) as fresh:
        now = (await build(fresh).aget_state(thread())).values["messages"]
        past = (await build(fresh).aget_state(before)).values["messages"]
    assert now[0].content == "redacted"
    assert now[0].additional_kwargs == {"by": "test"}
    assert [call["name"] for call in now[1].tool_calls] == ["late"]
    assert len(now) == 5
    assert past[0].content.startswith("question 0")
    assert past[1].tool_calls == []
    assert in_process == past


async def test_what_a_reader_does_to_a_message_stays_with_the_reader(saver: MotetSaver) -> None:
    graph = build(saver)
    await graph.ainvoke(human(0), thread())
    first = (await graph.aget_state(thread())).values["messages"]
    first[0].content = "scribbled"
    first.clear()
    again = (await graph.aget_state(thread())).values["messages"]
    assert again[0].content.startswith("question 0")
    await graph.ainvoke(human(1), thread())
    assert (await graph.aget_state(thread())).values["messages"][0].content.startswith("question 0")


def test_bytes_per_turn_are_the_same_at_a_thousand_turns(saver: MotetSaver) -> None:
    grown: list[float] = []
    for depth in (10, 1000):
        graph, name = build(saver), thread(f"depth {depth}")
        history = [HumanMessage(text(index), id=str(index)) for index in range(2 * depth)]
        graph.update_state(name, {"messages": history, "count": 1}, as_node="post")
        for turn in range(3):
            graph.invoke(human(turn), name)
        before = stored_bytes(saver)
        for turn in range(3, 8):
            graph.invoke(human(turn), name)
        grown.append((stored_bytes(saver) - before) / 5)
    assert grown[1] < 1.1 * grown[0]  # ids are random: packed, they differ by some per cent
    new = len(HumanMessage(text(1), id="q1").model_dump_json()) + len(
        AIMessage(text(2), id="0" * 36).model_dump_json()
    )
    assert grown[1] < 2 * new


async def test_a_bounded_list_writes_what_is_new_and_forgets_nothing_older(url: str) -> None:
    with ColdSaver.from_url(url, secret_key=KEY) as saver:
        graph = build(saver, Bounded)
        for turn in range(8):
            await graph.ainvoke(human(turn), thread())
        assert row_counts(saver)["list_items"] == 16
        states = [state async for state in graph.aget_state_history(thread()) if state.next == ()]
        assert [asked(state.values) for state in states[:2]] == [["q5", "q6", "q7"], ["q4", "q5", "q6"]]
        assert asked(states[-1].values) == ["q0"]


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ([RemoveMessage(id="q1")], ["q0", "q2"]),
        ([RemoveMessage(id=REMOVE_ALL_MESSAGES)], []),
        ([RemoveMessage(id=REMOVE_ALL_MESSAGES), HumanMessage("new", id="n")], ["n"]),
        ([HumanMessage("edited", id="q1")], ["q0", "q1", "q2"]),
        (Overwrite([HumanMessage("only", id="o")]), ["o"]),
    ],
    ids=["remove", "remove all", "remove all and add", "edit", "overwrite"],
)
async def test_edits_of_a_list(url: str, update: Any, expected: list[str]) -> None:
    with ColdSaver.from_url(url, secret_key=KEY) as saver:
        graph = build(saver)
        for turn in range(3):
            await graph.ainvoke(human(turn), thread())
        before = await graph.aget_state(thread())
        await graph.aupdate_state(thread(), {"messages": update}, as_node="post")
        after = await graph.aget_state(thread())
        assert asked(after.values) == expected
        await graph.ainvoke(human(9), thread())
        assert asked((await graph.aget_state(thread())).values) == [*expected, "q9"]
        assert (await graph.aget_state(before.config)).values == before.values


async def test_tenants_do_not_see_each_other(saver: MotetSaver) -> None:
    other = MotetSaver(saver.database, saver._seal, tenant_id="other")
    await build(saver).ainvoke(human(0), thread())
    assert (await build(other).aget_state(thread())).values == {}
    assert [found async for found in other.alist(None)] == []
    await build(other).ainvoke(human(5), thread())
    await other.aprune(["t"], strategy="keep_latest")
    await other.adelete_for_runs(["r"])
    assert asked((await build(saver).aget_state(thread())).values) == ["q0"]
    assert asked((await build(other).aget_state(thread())).values) == ["q5"]
    await other.adelete_thread("t")
    assert len([found async for found in saver.alist(None)]) == 5


async def test_an_interrupt_survives_a_restart(url: str) -> None:
    def ask(_state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage(f"you said {interrupt({'question': 'Go on?'})}")]}

    def graph(saver: Any) -> Any:
        built: Any = StateGraph(State)
        built.add_node("ask", ask)
        built.add_edge(START, "ask")
        return built.compile(checkpointer=saver)

    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        await graph(saver).ainvoke(human(0), thread())
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        state = await graph(saver).aget_state(thread())
        assert state.next == ("ask",)
        assert state.interrupts[0].value == {"question": "Go on?"}
        done = await graph(saver).ainvoke(Command(resume="yes"), thread())
        assert done["messages"][-1].content == "you said yes"


async def test_parallel_sends_and_subgraphs_resume_without_repeating(url: str) -> None:
    runs: list[int] = []

    def spread(_state: Any) -> list[Send]:
        return [Send("work", {"number": number}) for number in range(4)]

    def work(state: Any) -> dict[str, Any]:
        runs.append(state["number"])
        if state["number"] == 2 and runs.count(2) == 1:
            raise ConnectionError("once")
        return {"done": [state["number"]]}

    inner: Any = StateGraph(Fan)
    inner.add_node("work", work)
    inner.add_conditional_edges(START, spread, ["work"])
    outer: Any = StateGraph(Fan)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    with MotetSaver.from_url(url, secret_key=KEY) as saver, pytest.raises(ConnectionError):
        await outer.compile(checkpointer=saver).ainvoke({"done": []}, thread())
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        result = await outer.compile(checkpointer=saver).ainvoke(None, thread())
        assert result["done"] == [0, 1, 2, 3]
        assert runs.count(2) == 2
        assert sum(runs.count(number) for number in (0, 1, 3)) <= 6
        assert row_counts(saver)["checkpoint_scopes"] == 2


async def test_a_delta_channel_works_and_survives_pruning(saver: MotetSaver) -> None:
    graph = build(saver, Delta)
    for turn in range(7):
        await graph.ainvoke(human(turn), thread())
    expected = (await graph.aget_state(thread())).values
    assert asked(expected) == [f"q{turn}" for turn in range(7)]
    await saver.aprune(["t"])
    assert (await graph.aget_state(thread())).values == expected
    await graph.ainvoke(human(7), thread())
    assert asked((await graph.aget_state(thread())).values) == [f"q{turn}" for turn in range(8)]


def _moody(saver: Any) -> Any:
    graph: Any = StateGraph(Moody)
    graph.add_node("feel", lambda _: {"mood": Mood(name="glad")})
    graph.add_edge(START, "feel")
    graph.add_edge("feel", END)
    return graph.compile(checkpointer=saver)


async def test_a_class_must_be_registered(saver: MotetSaver) -> None:
    with pytest.raises(InvalidInput, match=r"Mood cannot be stored.*types=\[Mood\]"):
        await _moody(saver).ainvoke({}, thread())
    for knowing in (
        saver.with_types([Mood]),
        saver.with_allowlist([(Mood.__module__, "Mood"), ("no", "such")]),
    ):
        await _moody(knowing).ainvoke({}, thread("other"))
        assert (await _moody(knowing).aget_state(thread("other"))).values == {"mood": Mood(name="glad")}


async def test_the_config_must_name_a_thread(saver: MotetSaver) -> None:
    for config in ({}, {"configurable": {}}, {"configurable": {"thread_id": ""}}):
        with pytest.raises(InvalidInput, match="names no thread"):
            await saver.aget_tuple(config)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidInput, match="names no checkpoint"):
        await saver.aput_writes(thread(), [("a", 1)], "task")


async def test_of_two_writes_of_a_task_the_first_counts_but_special_ones_are_replaced(
    saver: MotetSaver,
) -> None:
    await build(saver).ainvoke(human(0), thread())
    config = (await build(saver).aget_state(thread())).config
    big = {"big": text(5, 2000)}
    await saver.aput_writes(config, [("a", 1)], "task", "path")
    await saver.aput_writes(config, [("a", 2), ("b", big)], "task")
    await saver.aput_writes(config, [("__interrupt__", "first")], "task")
    await saver.aput_writes(config, [("__interrupt__", "second")], "task")
    await saver.aput_writes(config, [("c", 4)], "earlier", "a path before")
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.pending_writes == [
        ("earlier", "c", 4),
        ("task", "__interrupt__", "second"),
        ("task", "a", 1),
        ("task", "b", big),
    ]


async def test_writes_may_come_before_their_checkpoint(saver: MotetSaver) -> None:
    checkpoint = empty_checkpoint()
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": checkpoint["id"]}}
    await saver.aput_writes(config, [("a", HumanMessage(text(1)))], "task")  # pyright: ignore[reportArgumentType]
    assert await saver.aget_tuple(thread()) is None
    await saver.aput(thread(), checkpoint, {"source": "input", "step": -1, "parents": {}}, {})
    found = await saver.aget_tuple(thread())
    assert found is not None
    assert found.pending_writes == [("task", "a", HumanMessage(text(1)))]


async def test_a_checkpoint_that_is_not_there_is_none(saver: MotetSaver) -> None:
    await build(saver).ainvoke(human(0), thread())
    config = {"configurable": {"thread_id": "t", "checkpoint_id": "no such"}}
    assert await saver.aget_tuple(config) is None  # pyright: ignore[reportArgumentType]
    assert [x async for x in saver.alist(thread(), before=config)] == []  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("key", ["source", "' OR 1=1 --", "$.source", 'a"b', "x') UNION SELECT 1 --", "\x00"])
async def test_a_filter_is_data(saver: MotetSaver, key: str) -> None:
    await build(saver).ainvoke(human(0), thread())
    for value in ("loop", "' OR '1'='1", 1, None, {"$ne": 1}):
        found = [x.metadata async for x in saver.alist(thread(), filter={key: value})]
        assert all(metadata.get(key) == value for metadata in found)
        assert len(found) == (
            4 if (key, value) == ("source", "loop") else 5 if (key != "source" and value is None) else 0
        )


def test_versions_grow_whatever_made_the_last_one(saver: MotetSaver) -> None:
    assert saver.get_next_version(None, None) == 1
    assert saver.get_next_version(41, None) == 42
    assert saver.get_next_version("00000000000000000000000000000041.0.77", None) == 42  # pyright: ignore[reportArgumentType]
