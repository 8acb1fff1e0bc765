import asyncio
import contextlib
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from studio import Studio, graph_of

from motet.errors import DatabaseUnavailable
from motet.events import InterruptRequested, MessageCompleted, RunCompleted, RunFailed, RunStarted, StreamPart
from motet.memory.checkpoints import MotetSaver
from motet.runs.drive import Drive
from motet.runs.queue.base import Claim
from motet.runs.request import RunRequest
from motet.storage.engine import Database
from motet.storage.seal import Seal


def kinds(events: list[Any]) -> list[str]:
    return [event.type for event in events]


async def test_a_run_ends_with_its_answer_in_the_log_and_in_the_transcript(studio: Studio) -> None:
    await studio.work()
    accepted = await studio.submit("hi")
    recorded = await studio.recorded(accepted.run_id)
    assert [r.seq for r in recorded] == list(range(1, len(recorded) + 1))
    last = recorded[-1].event
    assert isinstance(last, RunCompleted)
    assert [m["content"] for m in last.output["messages"]] == ["echo hi"]
    assert [m.text for m in await studio.records.messages(accepted.thread_id)] == ["hi", "echo hi"]
    assert (await studio.records.run(accepted.run_id)).status == "success"


async def test_a_thread_remembers_and_each_run_tells_only_what_is_new(studio: Studio) -> None:
    await studio.work()
    first = await studio.submit("one")
    await studio.events(first.run_id)
    second = await studio.submit("two", thread_id=first.thread_id)
    last = (await studio.events(second.run_id))[-1]
    assert isinstance(last, RunCompleted)
    assert [m["content"] for m in last.output["messages"]] == ["echo two"]
    state = await (await studio.graph("echo")).aget_state({"configurable": {"thread_id": first.thread_id}})
    assert [m.text for m in state.values["messages"]] == ["one", "echo one", "two", "echo two"]
    assert [m.text for m in await studio.records.messages(first.thread_id)] == [
        "one",
        "echo one",
        "two",
        "echo two",
    ]


async def test_whatever_a_graph_raises_ends_its_run_typed_and_the_worker_goes_on(studio: Studio) -> None:
    await studio.work()
    bad = await studio.submit("this", graph="fail")
    last = (await studio.events(bad.run_id))[-1]
    assert isinstance(last, RunFailed)
    assert last.error["code"] == "run_error"
    assert "no luck with this" in last.error["message"]
    good = await studio.submit("hi", thread_id=bad.thread_id)
    assert kinds(await studio.events(good.run_id))[-1] == "run.completed"


async def test_a_run_that_never_ends_by_itself_is_stopped_by_its_step_limit(studio: Studio) -> None:
    from langgraph.graph import START, StateGraph
    from langgraph.types import Command

    async def again(state: MessagesState) -> Command[Any]:
        return Command(goto="again")

    def endless() -> Any:
        builder = StateGraph(MessagesState)
        builder.add_node("again", again, destinations=("again",))
        builder.add_edge(START, "again")
        return builder.compile()

    studio.graphs["echo"] = endless
    await studio.work()
    accepted = await studio.submit("hi")
    last = (await studio.events(accepted.run_id))[-1]
    assert isinstance(last, RunFailed)
    assert last.error["code"] == "budget_exceeded"


async def test_a_cancelled_run_says_so_and_the_conversation_goes_on(studio: Studio) -> None:
    worker = await studio.work()
    accepted = await studio.submit("hi", graph="wait")
    kind = ""
    async for recorded in studio.log.follow("local", accepted.run_id):
        kind = recorded.event.type
        if kind == "run.started":
            await studio.queue.request_cancel("local", accepted.run_id)
            await worker.stop(accepted.run_id, "Ctrl-C")
    assert kind == "run.cancelled"
    assert (await studio.records.run(accepted.run_id)).status == "cancelled"
    again = await studio.submit("and now", thread_id=accepted.thread_id)
    assert kinds(await studio.events(again.run_id))[-1] == "run.completed"


async def test_a_run_can_be_cancelled_from_another_process(studio: Studio) -> None:
    await studio.work()
    accepted = await studio.submit("hi", graph="wait")
    kind = ""
    async for recorded in studio.log.follow("local", accepted.run_id):
        kind = recorded.event.type
        if kind == "run.started":  # no word to the worker: it finds the row
            assert await studio.queue.request_cancel("local", accepted.run_id)
    assert kind == "run.cancelled"
    assert not await studio.queue.request_cancel("local", accepted.run_id)


async def test_an_interrupt_waits_for_an_answer_and_a_later_run_brings_it(studio: Studio) -> None:
    await studio.work()
    first = await studio.submit("hi", graph="ask")
    events = await studio.events(first.run_id)
    asked = next(e for e in events if isinstance(e, InterruptRequested))
    assert asked.value == {"question": "really?"}
    assert events[-1].type == "run.interrupted"
    assert (await studio.records.thread(first.thread_id)).status == "interrupted"
    answer = RunRequest(graph="ask", thread_id=first.thread_id, resume="yes")
    second = await studio.gate.submit(answer)
    told = [e.text for e in await studio.events(second.run_id) if isinstance(e, MessageCompleted)]
    assert told == ["you said yes"]


async def test_an_abandoned_run_goes_on_where_it_stopped_and_repeats_no_finished_step(studio: Studio) -> None:
    done: list[str] = []
    hang = asyncio.Event()

    async def first(state: MessagesState) -> dict[str, Any]:
        done.append("first")
        return {"messages": [AIMessage("first is done", id="m1")]}

    async def second(state: MessagesState) -> dict[str, Any]:
        done.append("second")
        if len(done) == 2:
            hang.set()
            await asyncio.sleep(60)
        return {"messages": [AIMessage("second is done", id="m2")]}

    studio.graphs["echo"] = graph_of(first, second)
    accepted = await studio.submit("hi")
    claim = await studio.queue.claim("gone")
    assert claim is not None
    task = asyncio.create_task(studio.engine.execute(claim, stopped=lambda: None))
    await hang.wait()
    await asyncio.sleep(0.1)  # the first step's checkpoint is written in the background
    task.cancel()  # as a kill would: nothing is written any more, the lease just ends
    await asyncio.gather(task, return_exceptions=True)
    await end_lease(studio)
    await studio.work()
    events = await studio.events(accepted.run_id)
    assert done == ["first", "second", "second"]
    assert [e.attempt for e in events if isinstance(e, RunStarted)] == [1, 2]
    assert [e.text for e in events if isinstance(e, MessageCompleted)] == [
        "hi",
        "first is done",
        "second is done",
    ]
    assert events[-1].type == "run.completed"


async def test_a_run_whose_end_alone_is_missing_is_completed_without_running_again(studio: Studio) -> None:
    ran: list[int] = []

    async def once(state: MessagesState) -> dict[str, Any]:
        ran.append(1)
        return {"messages": [AIMessage("done", id="m1")]}

    studio.graphs["echo"] = graph_of(once)
    accepted = await studio.submit("hi")
    claim = await studio.queue.claim("gone")
    assert claim is not None
    graph = await studio.graph("echo")
    config = {"configurable": {"thread_id": accepted.thread_id}, "metadata": {"run_id": accepted.run_id}}
    await graph.ainvoke(claim.job.input, config)
    await end_lease(studio)
    await studio.work()
    events = await studio.events(accepted.run_id)
    assert ran == [1]
    assert [e.text for e in events if isinstance(e, MessageCompleted)] == ["hi", "done"]
    assert events[-1].type == "run.completed"


async def test_a_run_that_kills_every_worker_is_given_up(studio: Studio) -> None:
    accepted = await studio.submit("hi")
    for _ in range(3):
        assert isinstance(await studio.queue.claim("gone"), Claim)
        await end_lease(studio)
    await studio.work()
    last = (await studio.events(accepted.run_id))[-1]
    assert isinstance(last, RunFailed)
    assert "3 workers" in last.error["message"]


async def end_lease(studio: Studio) -> None:
    import sqlalchemy as sa

    from motet.storage.tables import runs

    await studio.database.write(lambda c: c.execute(sa.update(runs).values(lease_until=0.0)))


async def test_a_run_that_was_stopped_between_a_nodes_values_and_its_way_on_goes_on_there(
    studio: Studio, database: Database
) -> None:
    """LangGraph stores what a cancelled task has written so far, and takes the task for finished."""
    choosing, ran = asyncio.Event(), list[str]()

    async def first(state: MessagesState) -> dict[str, Any]:
        ran.append("first")
        return {"messages": [AIMessage("first", id="first")]}

    async def second(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("second")]}

    async def choose(state: MessagesState) -> str:
        if len(ran) == 1:
            choosing.set()
            await asyncio.sleep(60)
        return "second"

    def build() -> Any:
        builder = StateGraph(MessagesState)
        builder.add_node("first", first)
        builder.add_node("second", second)
        builder.add_edge(START, "first")
        builder.add_conditional_edges("first", choose, ["second"])
        builder.add_edge("second", END)
        return builder.compile()

    studio.graphs["echo"] = build
    studio.saver = MotetSaver(database, Seal([b"0123456789abcdef"]))
    worker = await studio.work()
    accepted = await studio.submit("hi")
    await choosing.wait()
    await worker.aclose()
    await studio.work()
    async with asyncio.timeout(10):
        events = await studio.events(accepted.run_id)
    told = [event.text for event in events if isinstance(event, MessageCompleted)]
    assert told == ["hi", "first", "second"]
    assert ran == ["first", "first"]


class GoneAfter(MotetSaver):
    """Nothing can be written any more once so many checkpoints are on disk: as if the process had been killed."""

    left = 0

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        stored = await super().aput(config, checkpoint, metadata, new_versions)
        self.left -= 1
        if self.left == 0:
            raise DatabaseUnavailable("The disk is gone.")
        return stored


@pytest.mark.parametrize("last", [1, 2, 3, 4])
async def test_a_step_whose_checkpoint_is_on_disk_has_been_told_when_the_process_dies(
    studio: Studio, database: Database, last: int
) -> None:
    async def first(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("one", id="1")]}

    async def second(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("two", id="2")]}

    studio.graphs["echo"] = graph_of(first, second)
    saver = studio.saver = GoneAfter(database, Seal([b"0123456789abcdef"]))
    accepted = await studio.submit("hi", drive=Drive(record=["updates"]))
    claim = await studio.queue.claim("gone")
    assert claim is not None
    saver.left = last
    with contextlib.suppress(DatabaseUnavailable):  # after the last one there is nothing left to fail
        await studio.engine.execute(claim, stopped=lambda: None)
    await end_lease(studio)
    await studio.work()
    events = await studio.events(accepted.run_id)
    assert events[-1].type == "run.completed"
    assert [list(part.data) for part in events if isinstance(part, StreamPart)] == [["first"], ["second"]]
    assert [event.text for event in events if isinstance(event, MessageCompleted)] == ["hi", "one", "two"]
