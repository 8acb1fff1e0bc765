"""Deleting, pruning and copying: what stays is whole, what goes is gone."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import KEY, asked, build, human, row_counts, stored_bytes, thread
from langchain_core.messages import RemoveMessage

from motet.errors import Conflict, InvalidInput
from motet.memory.checkpoints import MotetSaver


def _run(run_id: str, thread_id: str = "t") -> Any:
    return {**thread(thread_id), "metadata": {"run_id": run_id}}


async def _talk(saver: MotetSaver, turns: int, thread_id: str = "t") -> Any:
    graph = build(saver)
    for turn in range(turns):
        await graph.ainvoke(human(turn), _run(f"r{turn}", thread_id))
    return graph


async def _history(graph: Any, thread_id: str = "t") -> list[Any]:
    return [state async for state in graph.aget_state_history(thread(thread_id))]


async def test_deleting_a_thread_leaves_no_row(saver: MotetSaver) -> None:
    await _talk(saver, 2)
    assert min(row_counts(saver).values()) > 0
    await saver.adelete_thread("t")
    await saver.adelete_thread("never there")
    assert set(row_counts(saver).values()) == {0}
    graph = await _talk(saver, 1)
    assert asked((await graph.aget_state(thread())).values) == ["q0"]


async def test_pruning_keeps_the_newest_whole(url: str) -> None:
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        graph = await _talk(saver, 6)
        await graph.aupdate_state(thread(), {"messages": [RemoveMessage(id="q1")]}, as_node="post")
        other = await _talk(saver, 2, "other")
        before, untouched = await graph.aget_state(thread()), await _history(other, "other")
        size, rows = stored_bytes(saver), row_counts(saver)
        await saver.aprune(["t", "never there"])
        assert stored_bytes(saver) < 0.7 * size
        left = row_counts(saver)
        assert left["checkpoints"] == rows["checkpoints"] - 30
        assert left["list_items"] == rows["list_items"] - 1
        assert left["channel_values"] == rows["channel_values"] - 1
        assert left["checkpoint_runs"] == 2
    with MotetSaver.from_url(url, secret_key=KEY) as fresh:
        graph = build(fresh)
        history = await _history(graph)
        assert [state.values for state in history] == [before.values]
        assert history[0].parent_config is None
        assert await _history(graph, "other") == untouched
        await graph.ainvoke(human(9), thread())
        assert asked((await graph.aget_state(thread())).values) == ["q0", "q2", "q3", "q4", "q5", "q9"]
        await fresh.aprune(["t"])
        assert len((await graph.aget_state(thread())).values["messages"]) == 13
        await fresh.aprune(["t", "other"], strategy="delete")
        assert set(row_counts(fresh).values()) == {0}
        with pytest.raises(InvalidInput, match="keep_latest, delete"):
            await fresh.aprune(["t"], strategy="keep_some")


async def test_pruning_twice_changes_nothing(saver: MotetSaver) -> None:
    graph = await _talk(saver, 3)
    await saver.aprune(["t"])
    counts, values = row_counts(saver), (await graph.aget_state(thread())).values
    await saver.aprune(["t"])
    assert row_counts(saver) == counts
    assert (await graph.aget_state(thread())).values == values


async def test_a_writer_whose_parent_was_pruned_elsewhere_loses_nothing(url: str) -> None:
    """Its memory says that the list is stored; the rows are gone."""
    with MotetSaver.from_url(url, secret_key=KEY) as stale, MotetSaver.from_url(url, secret_key=KEY) as other:
        graph = await _talk(stale, 3)
        old = next(
            state for state in await _history(graph) if asked(state.values) == ["q0", "q1"] and not state.next
        )
        await graph.aupdate_state(thread(), {"messages": [RemoveMessage(id="q0")]}, as_node="post")
        await other.aprune(["t"])
        saved = await stale.aget_tuple(old.config)
        assert saved is None
        fork = await stale.aput(*_next(old, "messages", old.values["messages"]))
        found = await MotetSaver(other.database, other._seal).aget_tuple(fork)
        assert found is not None
        assert found.checkpoint["channel_values"]["messages"] == old.values["messages"]
        assert found.parent_config == {"configurable": {**old.config["configurable"]}}


async def test_a_writer_that_has_its_parent_in_memory_alone_loses_nothing(url: str) -> None:
    """Pruned elsewhere a moment ago: nothing in this process says so but the missing row."""
    with MotetSaver.from_url(url, secret_key=KEY) as stale, MotetSaver.from_url(url, secret_key=KEY) as other:
        graph = await _talk(stale, 3)
        last = await graph.aget_state(thread())
        await build(other).aupdate_state(thread(), {"messages": [RemoveMessage(id="q0")]}, as_node="post")
        await other.aprune(["t"])
        longer = [*last.values["messages"], *human(7)["messages"]]
        await stale.aput(*_next(last, "messages", longer))
        for saver in (stale, MotetSaver(other.database, other._seal)):
            found = await saver.aget_tuple(thread())
            assert found is not None
            assert found.checkpoint["channel_values"]["messages"] == longer


async def test_the_place_of_a_deleted_item_is_not_given_again(url: str) -> None:
    """Another process may have the old item in memory."""
    with (
        MotetSaver.from_url(url, secret_key=KEY) as reader,
        MotetSaver.from_url(url, secret_key=KEY) as writer,
    ):
        graph = await _talk(writer, 3)
        await graph.aupdate_state(thread(), human(8), as_node="post")
        assert asked((await build(reader).aget_state(thread())).values)[-1] == "q8"
        await graph.aupdate_state(thread(), {"messages": [RemoveMessage(id="q8")]}, as_node="post")
        await writer.aprune(["t"])
        cold = MotetSaver(writer.database, writer._seal)
        await build(cold).aupdate_state(thread(), human(9), as_node="post")
        for saver in (reader, cold, MotetSaver(writer.database, writer._seal)):
            assert asked((await build(saver).aget_state(thread())).values) == ["q0", "q1", "q2", "q9"]


async def test_a_writer_whose_thread_was_deleted_elsewhere_starts_it_anew(url: str) -> None:
    with MotetSaver.from_url(url, secret_key=KEY) as stale, MotetSaver.from_url(url, secret_key=KEY) as other:
        graph = await _talk(stale, 2)
        last = await graph.aget_state(thread())
        await other.adelete_thread("t")
        await _talk(other, 1)
        await stale.aput(*_next(last, "messages", last.values["messages"]))
        found = await MotetSaver(other.database, other._seal).aget_tuple(thread())
        assert found is not None
        assert found.checkpoint["channel_values"]["messages"] == last.values["messages"]


def _next(state: Any, channel: str, value: Any) -> tuple[Any, Any, Any, Any]:
    """Return what LangGraph would put after a state: one more checkpoint, with a new version of a channel."""
    from langgraph.checkpoint.base import empty_checkpoint

    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {channel: value}
    checkpoint["channel_versions"] = {channel: 1000}
    return state.config, checkpoint, {"source": "update", "step": 99, "parents": {}}, {channel: 1000}


async def test_deleting_runs_keeps_the_chain_of_the_others(saver: MotetSaver) -> None:
    graph = await _talk(saver, 4)
    before = {s.config["configurable"]["checkpoint_id"]: s.values for s in await _history(graph)}
    await saver.adelete_for_runs(["r1", "r2", "never there"])
    history = await _history(graph)
    assert [state.metadata["run_id"] for state in history] == ["r3"] * 5 + ["r0"] * 5
    assert all(state.values == before[state.config["configurable"]["checkpoint_id"]] for state in history)
    parents = [
        state.parent_config and state.parent_config["configurable"]["checkpoint_id"] for state in history
    ]
    assert parents == [state.config["configurable"]["checkpoint_id"] for state in history[1:]] + [None]
    await saver.adelete_for_runs(["r3"])
    assert asked((await graph.aget_state(thread())).values) == ["q0"]
    await graph.ainvoke(human(5), thread())
    assert asked((await graph.aget_state(thread())).values) == ["q0", "q5"]
    await saver.adelete_for_runs(["r0"])
    assert asked((await graph.aget_state(thread())).values) == ["q0", "q5"]
    await saver.adelete_for_runs([])


async def test_deleting_every_run_deletes_the_thread(saver: MotetSaver) -> None:
    await _talk(saver, 2)
    saver.delete_for_runs(["r0", "r1"])
    assert set(row_counts(saver).values()) == {0}


async def test_a_copy_has_the_whole_history_and_a_life_of_its_own(saver: MotetSaver) -> None:
    graph = await _talk(saver, 3)
    before = await _history(graph)
    await saver.acopy_thread("t", "copy")
    copied = await _history(graph, "copy")
    assert [state.values for state in copied] == [state.values for state in before]
    assert [state.metadata for state in copied] == [state.metadata for state in before]
    await graph.ainvoke(human(8), thread("copy"))
    assert await _history(graph) == before
    await saver.adelete_thread("t")
    assert asked((await graph.aget_state(thread("copy"))).values) == ["q0", "q1", "q2", "q8"]
    await saver.adelete_for_runs(["r2"])
    with pytest.raises(Conflict, match="has checkpoints already"):
        saver.copy_thread("copy", "copy")


async def test_sync_methods_do_the_same(saver: MotetSaver) -> None:
    graph = await _talk(saver, 2)
    saver.copy_thread("t", "copy")
    saver.prune(["copy"])
    saver.delete_thread("t")
    assert asked(graph.get_state(thread("copy")).values) == ["q0", "q1"]
    assert graph.get_state(thread()).values == {}
