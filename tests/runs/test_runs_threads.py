"""Forks, rewinds, copies, differences, tags and times of threads, on each database, with Motet's own saver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from studio import TENANT, Studio, graph_of, open_studio

from motet.errors import Conflict, InvalidInput, NotFound
from motet.memory.checkpoints import MotetSaver
from motet.runs.records import Records
from motet.runs.request import RunRequest
from motet.runs.threads.service import Threads, split_point
from motet.storage.engine import Database
from motet.storage.seal import load_seal
from motet.storage.tables import metadata, threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from motet.runs.threads.values import Turn
    from motet.settings import Settings


class Heard(MessagesState):
    count: int


async def repeat(state: Heard) -> dict[str, Any]:
    """Say all that the user said so far: what the graph's state holds."""
    said = " | ".join(message.text for message in state["messages"] if message.type == "human")
    return {"messages": [AIMessage(f"heard {said}")]}


async def count(state: Heard) -> dict[str, Any]:
    return {"count": len(state["messages"])}


async def ask(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"you said {interrupt({'question': 'really?'})}")]}


def _heard() -> Any:
    builder = StateGraph(Heard)
    builder.add_node("repeat", repeat)
    builder.add_node("count", count)
    builder.add_edge(START, "repeat")
    builder.add_edge("repeat", "count")
    builder.add_edge("count", END)
    return builder.compile()


@pytest.fixture
async def studio(database: Database, settings: Settings) -> AsyncIterator[Studio]:
    async with open_studio(database, settings, {"heard": _heard, "ask": graph_of(ask)}) as made:
        made.saver = MotetSaver(database, load_seal(settings.storage))
        await made.work()
        yield made


@pytest.fixture
def operations(studio: Studio) -> Threads:
    return Threads(studio.database, studio.records, studio.saver, TENANT)


async def talk(studio: Studio, *texts: str, thread_id: str | None = None, **more: Any) -> str:
    """Have a turn a text; return the thread's id."""
    for text in texts:
        accepted = await studio.submit(text, thread_id=thread_id, **more)
        thread_id = accepted.thread_id
        await studio.events(accepted.run_id)
    assert thread_id is not None
    return thread_id


async def said(studio: Studio, thread_id: str) -> list[str]:
    return [message.text for message in await studio.records.messages(thread_id)]


async def last(studio: Studio, thread_id: str, text: str) -> str:
    """Have one more turn and return its answer."""
    return (await said(studio, await talk(studio, text, thread_id=thread_id)))[-1]


def checkpoint(turns: list[Turn], index: int) -> str:
    found = turns[index].checkpoint_id
    assert found is not None
    return found


async def test_the_turns_of_a_thread_are_told(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "二", "three")
    turns = await operations.turns(thread_id)
    assert [(turn.number, turn.said, turn.messages) for turn in turns] == [
        (1, "one", 2),
        (2, "二", 2),
        (3, "three", 2),
    ]
    assert [turn.is_head for turn in turns] == [False, False, True]
    assert len({turn.checkpoint_id for turn in turns} - {None}) == 3
    assert await operations.turns("nowhere") == []


async def test_a_fork_holds_what_was_and_goes_on_from_there(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two", "three")
    await operations.tag(thread_id, add=["work"])
    turns = await operations.turns(thread_id)
    for at in ("2", checkpoint(turns, 1), checkpoint(turns, 1)[:20]):
        fork = await operations.fork(thread_id, at=at)
        assert await said(studio, fork.thread_id) == ["one", "heard one", "two", "heard one | two"]
        assert fork.metadata["forked_from"] == {
            "thread_id": thread_id,
            "checkpoint_id": checkpoint(turns, 1),
        }
        assert (fork.tags, fork.messages, fork.graph) == (["work"], 4, "heard")
        found = await operations.turns(fork.thread_id)
        assert [turn.checkpoint_id for turn in found] == [turn.checkpoint_id for turn in turns[:2]]
        assert await last(studio, fork.thread_id, "other") == "heard one | two | other"
    assert await said(studio, thread_id) == [
        *("one", "heard one", "two", "heard one | two"),
        *("three", "heard one | two | three"),
    ]
    assert await last(studio, thread_id, "four") == "heard one | two | three | four"


async def test_a_fork_of_a_fork_and_titles(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two")
    first = await operations.fork(thread_id, at="1")
    await talk(studio, "else", thread_id=first.thread_id)
    second = await operations.fork(first.thread_id, at="1")
    third = await operations.fork(first.thread_id, title="  新 的  ")
    copied = await operations.copy(first.thread_id)
    titles = [record.title for record in (first, second, third, copied)]
    assert titles == ["one (fork)", "one (fork 2)", "新 的", "one (copy)"]
    assert copied.metadata["copied_from"]["thread_id"] == first.thread_id
    await operations.delete(first.thread_id)
    assert await last(studio, second.thread_id, "b") == "heard one | b"
    assert await last(studio, third.thread_id, "c") == "heard one | else | c"
    assert await last(studio, copied.thread_id, "d") == "heard one | else | d"
    with pytest.raises(InvalidInput, match="at least one character"):
        await operations.fork(thread_id, title=" ")


async def test_a_fork_is_found_by_its_words(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "海上的灯塔", "something else")
    fork = await operations.fork(thread_id, at="1")
    found = await studio.records.search("灯塔")
    assert {thread.thread_id for thread, _ in found} == {thread_id, fork.thread_id}
    assert {thread.thread_id for thread, _ in await studio.records.search("else")} == {thread_id}


async def test_a_fork_in_the_middle_of_a_turn_has_what_was_there_by_then(
    studio: Studio, operations: Threads
) -> None:
    thread_id = await talk(studio, "one", "two")
    points = await studio.database.read(lambda c: studio.saver.upkeep.points(c, thread_id))
    turns = await operations.turns(thread_id)
    mine = [point for point in points if point.run_id == turns[1].run_id]
    texts = [
        await said(studio, (await operations.fork(thread_id, at=point.checkpoint_id)).thread_id)
        for point in mine
    ]
    before, question = ["one", "heard one"], ["one", "heard one", "two"]
    assert texts == [before, question, [*question, "heard one | two"], [*question, "heard one | two"]]


async def test_a_rewind_goes_back_and_keeps_what_came_after(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two", "three lighthouses")
    before = await operations.turns(thread_id)
    done = await operations.rewind(thread_id, "1")
    assert (done.turn, done.messages, done.left_checkpoint_id) == (1, 4, checkpoint(before, 2))
    assert await said(studio, thread_id) == ["one", "heard one"]
    assert (await studio.records.thread(thread_id)).messages == 2
    assert await studio.records.search("lighthouses") == []
    turns = await operations.turns(thread_id)
    assert [(turn.number, turn.said, turn.is_head) for turn in turns] == [
        (1, "one", True),
        (None, "two", False),
        (None, "three lighthouses", False),
    ]
    assert await last(studio, thread_id, "anew") == "heard one | anew"
    assert [turn.number for turn in await operations.turns(thread_id)] == [1, None, None, 2]
    old = await operations.fork(thread_id, at=done.left_checkpoint_id)
    assert (await said(studio, old.thread_id))[2:5] == ["two", "heard one | two", "three lighthouses"]
    assert await last(studio, old.thread_id, "four") == "heard one | two | three lighthouses | four"
    middle = await operations.fork(thread_id, at=checkpoint(before, 1))
    assert await said(studio, middle.thread_id) == ["one", "heard one", "two", "heard one | two"]
    now = await operations.fork(thread_id, at="2")
    assert await said(studio, now.thread_id) == ["one", "heard one", "anew", "heard one | anew"]


async def test_rewinds_upon_rewinds_lose_nothing(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "a", "b", "c")
    first = await operations.rewind(thread_id, "2")
    await talk(studio, "d", thread_id=thread_id)
    second = await operations.rewind(thread_id, "1")
    await talk(studio, "e", thread_id=thread_id)
    third = await operations.rewind(thread_id, "1")
    assert await last(studio, thread_id, "f") == "heard a | f"
    left = [done.left_checkpoint_id for done in (first, second, third)]
    for checkpoint_id, all_said in zip(left, ("a | b | c", "a | b | d", "a | e"), strict=True):
        fork = await operations.fork(thread_id, at=checkpoint_id)
        assert (await said(studio, fork.thread_id))[-1] == f"heard {all_said}"
        assert await last(studio, fork.thread_id, "z") == f"heard {all_said} | z"
    with pytest.raises(Conflict, match=r"threads fork .* --at"):
        await operations.rewind(thread_id, left[0])


async def test_a_rewind_to_where_it_is_changes_nothing(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two")
    before = await operations.turns(thread_id)
    assert (await operations.rewind(thread_id, "2")).messages == 0
    assert await operations.turns(thread_id) == before


async def test_a_message_that_was_rewound_can_be_said_again(studio: Studio, operations: Threads) -> None:
    message = {"role": "user", "content": "same", "id": "m1"}
    thread_id = await talk(studio, "one")
    for _ in range(3):
        run = await studio.gate.submit(_request(thread_id, message))
        await studio.events(run.run_id)
        assert await said(studio, thread_id) == ["one", "heard one", "same", "heard one | same"]
        await operations.rewind(thread_id, "1")
    assert [turn.said for turn in await operations.turns(thread_id)] == ["one", "same", "same", "same"]


def _request(thread_id: str, message: dict[str, Any]) -> RunRequest:
    return RunRequest(thread_id=thread_id, input={"messages": [message]})


async def test_a_busy_thread_is_refused(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one")
    for worker in studio.workers:
        await worker.aclose()
    waiting = await studio.submit("two", thread_id=thread_id)
    for work in (
        operations.fork(thread_id),
        operations.copy(thread_id),
        operations.rewind(thread_id, "1"),
        operations.delete(thread_id),
    ):
        with pytest.raises(Conflict, match=rf"has not ended.*{waiting.run_id}"):
            await work
    assert (await operations.compact([thread_id])).threads == 0


async def test_what_is_not_there_is_said(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two")
    for at, words in (
        ("3", "no turn 3: its turns are 1 to 2"),
        ("0", "no turn 0"),
        ("beef-beef", "'beef-beef'"),
    ):
        for work in (operations.fork(thread_id, at=at), operations.rewind(thread_id, at)):
            with pytest.raises(NotFound, match=words):
                await work
    for work in (operations.fork("nope"), operations.rewind("nope", "1"), operations.delete("nope")):
        with pytest.raises(NotFound, match="no thread 'nope'"):
            await work
    assert len(await studio.records.threads()) == 1
    assert await last(studio, thread_id, "three") == "heard one | two | three"


async def test_a_question_that_was_rewound_waits_no_more(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one")
    await talk(studio, "two", thread_id=thread_id, graph="ask")
    assert (await studio.records.thread(thread_id)).status == "interrupted"
    await operations.rewind(thread_id, "1")
    assert (await studio.records.thread(thread_id)).status == "idle"


async def test_what_differs_is_told(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two")
    fork = await operations.fork(thread_id, at="1")
    await talk(studio, "other", "more", thread_id=fork.thread_id)
    diff = await operations.diff((thread_id, None), (fork.thread_id, None))
    assert diff.same == 2
    assert [(line.side, line.message.text) for line in diff.lines] == [
        ("left", "two"),
        ("left", "heard one | two"),
        ("right", "other"),
        ("right", "heard one | other"),
        ("right", "more"),
        ("right", "heard one | other | more"),
    ]
    assert [(key.key, key.left, key.right) for key in diff.state] == [("count", 4, 6)]
    same = await operations.diff((thread_id, "1"), (fork.thread_id, "1"))
    assert (same.same, same.lines, same.state) == (2, [], [])


async def test_a_thread_that_goes_on_while_it_is_read_is_copied_and_compacted_as_it_is_then(
    studio: Studio, operations: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read for the copy, and what was planned, are done again when they no longer hold."""
    thread_id = await talk(studio, "one", "two")
    read, meanwhile = studio.database.read, ["three", "four"]

    async def read_slowly(work: Any) -> Any:
        found = await read(work)
        if meanwhile and "_read_first" in work.__qualname__:
            await talk(studio, meanwhile.pop(0), thread_id=thread_id)
        return found

    monkeypatch.setattr(studio.database, "read", read_slowly)
    fork = await operations.fork(thread_id)
    assert await said(studio, fork.thread_id) == await said(studio, thread_id)
    assert await last(studio, fork.thread_id, "x") == "heard one | two | three | x"
    assert meanwhile == ["four"]
    await operations.compact([thread_id])
    assert meanwhile == []
    assert await last(studio, thread_id, "y") == "heard one | two | three | four | y"
    assert [turn.number for turn in await operations.turns(thread_id) if turn.checkpoint_id] == [4, 5]


async def test_compacting_keeps_the_newest_and_breaks_nothing(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two", "three", "four")
    fork = await operations.fork(thread_id, at="2")
    await operations.rewind(thread_id, "3")
    before = await operations.turns(thread_id)
    done = await operations.compact([thread_id], keep_turns=2)
    assert (done.threads, done.messages) == (1, 2)
    assert done.checkpoints > 8
    turns = await operations.turns(thread_id)
    assert [turn.checkpoint_id is not None for turn in turns] == [False, True, True]
    assert checkpoint(turns, 2) == checkpoint(before, 2)
    with pytest.raises(NotFound, match="deleted to save space"):
        await operations.fork(thread_id, at="1")
    with pytest.raises(NotFound, match="no turn or checkpoint"):
        await operations.rewind(thread_id, checkpoint(before, 0))
    again = await operations.fork(thread_id, at="2")
    assert await last(studio, again.thread_id, "x") == "heard one | two | x"
    assert await last(studio, thread_id, "y") == "heard one | two | three | y"
    assert await last(studio, fork.thread_id, "z") == "heard one | two | z"
    assert (await operations.compact([fork.thread_id])).checkpoints > 0
    assert await last(studio, fork.thread_id, "!") == "heard one | two | z | !"
    with pytest.raises(InvalidInput, match="not 0"):
        await operations.compact([thread_id], keep_turns=0)


async def test_tags_come_and_go(studio: Studio, operations: Threads) -> None:
    one, two = await talk(studio, "a lighthouse"), await talk(studio, "another lighthouse")
    await operations.tag(one, add=["工作", "draft", "工作"])
    await operations.tag(two, add=["draft"])
    done = await operations.tag(one, add=["now"], remove=["draft", "never-there"])
    assert done.tags == ["now", "工作"]
    assert [t.thread_id for t in await studio.records.threads(tags=["工作"])] == [one]
    assert [t.thread_id for t in await studio.records.threads(tags=["draft"])] == [two]
    assert await studio.records.threads(tags=["draft", "工作"]) == []
    found = await studio.records.search("lighthouse", tags=["工作"])
    assert {thread.thread_id for thread, _ in found} == {one}
    for wrong in ("", "two words", "a,b", "x" * 41, "a@b"):
        with pytest.raises(InvalidInput, match="is no tag"):
            await operations.tag(one, add=[wrong])
    with pytest.raises(NotFound):
        await operations.tag("nope", add=["x"])


async def test_threads_whose_time_is_over_leave_no_row(studio: Studio, operations: Threads) -> None:
    old, kept, young = await talk(studio, "old"), await talk(studio, "kept"), await talk(studio, "young")
    await operations.set_ttl(kept, 0)
    await operations.tag(old, add=["x"])
    change = (
        sa.update(threads).where(threads.c.thread_id != young).values(updated_at=threads.c.updated_at - 100)
    )
    await studio.database.write(lambda c: c.execute(change))
    assert await operations.expired(0) == []
    assert await operations.delete_expired(200) == 0
    assert await operations.delete_expired(50) == 1
    assert {t.thread_id for t in await studio.records.threads()} == {kept, young}

    def left(connection: sa.Connection) -> set[str]:
        return {
            table.name
            for table in metadata.tables.values()
            if "thread_id" in table.c
            and connection.execute(sa.select(table).where(table.c.thread_id == old)).first()
        }

    assert await studio.database.read(left) == set()
    await operations.set_ttl(kept, 50)
    assert await operations.expired(0) == [kept]
    with pytest.raises(InvalidInput, match="-1"):
        await operations.set_ttl(kept, -1)


async def test_the_run_that_a_fork_stands_for(studio: Studio, operations: Threads) -> None:
    source = await talk(studio, "one", "two", "three")
    runs = [turn.run_id for turn in await operations.turns(source)]
    fork = (await operations.fork(source, at="1")).thread_id
    assert await operations.original_run(fork) == runs[1]
    again = (await operations.fork((await operations.fork(source, at="2")).thread_id, at="1")).thread_id
    assert await operations.original_run(again) == runs[1]
    await operations.rewind(source, "1")
    assert await operations.original_run(fork) == runs[1]  # nothing else came after the point
    await talk(studio, "another", thread_id=source)
    newest = (await operations.turns(source))[-1].run_id
    assert newest not in runs
    assert await operations.original_run(fork) == newest
    for wrong in (source, (await operations.fork(source)).thread_id):
        with pytest.raises(Conflict, match=r"was not forked|has no turn after"):
            await operations.original_run(wrong)
    await operations.delete(source)
    with pytest.raises(NotFound, match=source):
        await operations.original_run(fork)


async def test_another_tenant_sees_and_changes_nothing(studio: Studio, operations: Threads) -> None:
    thread_id = await talk(studio, "one", "two")
    saver = MotetSaver(studio.database, studio.saver._seal, tenant_id="other")
    theirs = Threads(studio.database, Records(studio.database, "other"), saver, "other")
    assert await theirs.turns(thread_id) == []
    for work in (theirs.fork(thread_id), theirs.rewind(thread_id, "1"), theirs.tag(thread_id, add=["x"])):
        with pytest.raises(NotFound):
            await work
    assert await theirs.delete_expired(1e-9) == 0
    assert (await theirs.compact([thread_id])).checkpoints == 0
    assert len(await operations.turns(thread_id)) == 2


def test_a_point_is_split_off_a_name() -> None:
    assert split_point("abc") == ("abc", None)
    assert split_point("abc@2") == ("abc", "2")
    assert split_point("a@b@1f2e") == ("a@b", "1f2e")
    for wrong in ("abc@", "@2"):
        with pytest.raises(NotFound, match="names no point"):
            split_point(wrong)
