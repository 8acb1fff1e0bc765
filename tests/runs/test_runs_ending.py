"""Two turns at once: what is stopped, and what `rollback` takes back of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState
from studio import TENANT, Studio, graph_of

from motet.errors import Conflict
from motet.events import RunCancelledEvent, RunCompleted
from motet.memory.checkpoints import MotetSaver
from motet.runs.request import RunRequest
from motet.storage.seal import Seal, derive_keys


class TwoSteps:
    """A first node that always answers, and a second one that waits for a door."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.door = asyncio.Event()

    async def think(self, state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"thought about {state['messages'][-1].text}")]}

    async def speak(self, state: MessagesState) -> dict[str, Any]:
        self.waits.set()
        await self.door.wait()
        return {"messages": [AIMessage("spoken")]}


@pytest.fixture
async def two_steps(studio: Studio) -> AsyncIterator[TwoSteps]:
    studio.saver = MotetSaver(studio.database, Seal(derive_keys("k" * 32)))
    steps = TwoSteps()
    studio.graphs["wait"] = graph_of(steps.think, steps.speak)
    yield steps
    steps.door.set()


async def transcript(studio: Studio, thread_id: str) -> list[str]:
    return [m.text for m in await studio.records.messages(thread_id)]


async def state(studio: Studio, thread_id: str) -> list[str]:
    found = await (await studio.graph("wait")).aget_state({"configurable": {"thread_id": thread_id}})
    return [m.text for m in found.values.get("messages", [])]


async def last_event(studio: Studio, run_id: str) -> Any:
    return (await studio.events(run_id))[-1]


async def test_a_rollback_leaves_the_thread_as_if_the_earlier_run_had_never_been(
    studio: Studio, two_steps: TwoSteps
) -> None:
    await studio.work()
    kept = await studio.submit("kept")
    await studio.events(kept.run_id)
    bad = await studio.submit("bad", graph="wait", thread_id=kept.thread_id)
    await two_steps.waits.wait()
    assert "bad" in await transcript(studio, kept.thread_id)
    waiting = await studio.submit("waiting", graph="wait", thread_id=kept.thread_id)
    good = await studio.submit("good", thread_id=kept.thread_id, multitask="rollback")
    assert isinstance(await last_event(studio, good.run_id), RunCompleted)
    for run in (bad, waiting):
        ended = await last_event(studio, run.run_id)
        assert isinstance(ended, RunCancelledEvent)
        assert ended.undone
    said = ["kept", "echo kept", "good", "echo good"]
    assert await transcript(studio, kept.thread_id) == said
    assert await state(studio, kept.thread_id) == said
    assert await studio.records.search("bad") == []


async def test_an_interrupt_keeps_what_the_earlier_run_did_so_far(
    studio: Studio, two_steps: TwoSteps
) -> None:
    await studio.work()
    first = await studio.submit("first", graph="wait")
    await two_steps.waits.wait()
    second = await studio.submit("second", thread_id=first.thread_id, multitask="interrupt")
    await studio.events(second.run_id)
    assert await transcript(studio, first.thread_id) == [
        "first",
        "thought about first",
        "second",
        "echo second",
    ]
    ended = await last_event(studio, first.run_id)
    assert (ended.type, ended.undone) == ("run.cancelled", False)


async def test_a_run_that_ends_just_before_it_is_stopped_is_taken_back_too(
    studio: Studio, two_steps: TwoSteps
) -> None:
    await studio.work()
    bad = await studio.submit("bad", graph="wait")
    await two_steps.waits.wait()
    for worker in studio.workers:  # nobody looks for runs to stop
        worker._loops[1].cancel()
    good = await studio.submit("good", thread_id=bad.thread_id, multitask="rollback")
    two_steps.door.set()
    ended = await last_event(studio, bad.run_id)
    assert (ended.type, ended.undone) == ("run.cancelled", True)
    await studio.events(good.run_id)
    assert await state(studio, bad.thread_id) == ["good", "echo good"]
    assert await transcript(studio, bad.thread_id) == ["good", "echo good"]


async def test_a_run_whose_worker_died_is_taken_back_by_the_next(studio: Studio, two_steps: TwoSteps) -> None:
    worker = await studio.work()
    bad = await studio.submit("bad", graph="wait")
    await two_steps.waits.wait()
    await worker.aclose()  # gives it back: it has left checkpoints behind
    assert await state(studio, bad.thread_id)
    good = await studio.submit("good", thread_id=bad.thread_id, multitask="rollback")
    await studio.work()
    await studio.events(good.run_id)
    assert (await last_event(studio, bad.run_id)).undone
    assert await state(studio, bad.thread_id) == ["good", "echo good"]


async def test_the_answer_to_an_interrupt_is_not_taken_back(studio: Studio, two_steps: TwoSteps) -> None:
    studio.graphs["ask"] = graph_of(_ask, two_steps.speak)
    await studio.work()
    asked = await studio.submit("hi", graph="ask")
    assert (await last_event(studio, asked.run_id)).type == "run.interrupted"
    answer = await studio.gate.submit(RunRequest(graph="ask", thread_id=asked.thread_id, resume="yes"))
    await two_steps.waits.wait()
    with pytest.raises(Conflict, match=answer.run_id):
        await studio.submit("no", thread_id=asked.thread_id, multitask="rollback")
    two_steps.door.set()
    assert (await last_event(studio, answer.run_id)).type == "run.completed"


async def test_a_rollback_on_an_idle_thread_takes_nothing_back(studio: Studio, two_steps: TwoSteps) -> None:
    await studio.work()
    first = await studio.submit("one")
    await studio.events(first.run_id)
    second = await studio.submit("two", thread_id=first.thread_id, multitask="rollback")
    await studio.events(second.run_id)
    assert await transcript(studio, first.thread_id) == ["one", "echo one", "two", "echo two"]
    assert (await studio.log.read(TENANT, first.run_id))[-1].event.type == "run.completed"


async def _ask(state: MessagesState) -> dict[str, Any]:
    from langgraph.types import interrupt

    return {"messages": [AIMessage(f"you said {interrupt('really?')}")]}


# A zombie


async def test_a_zombie_stores_no_checkpoint_and_no_writes(studio: Studio, two_steps: TwoSteps) -> None:
    """Its worker was stopped for so long that another one took the run; then it goes on where it was."""
    from motet.runs.worker import Worker

    accepted = await studio.submit("hi", graph="wait")
    zombie = Worker(studio.queue, studio.engine, studio.settings.runs)
    assert await zombie._claim_one()  # no heartbeat: it learns of nothing
    await two_steps.waits.wait()
    await studio.database.write(lambda c: c.exec_driver_sql("UPDATE runs SET lease_until = 0"))
    assert await studio.queue.claim("another worker") is not None
    before = await stored(studio)
    two_steps.door.set()
    async with asyncio.timeout(10):
        while zombie._active:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await stored(studio) == before
    assert (await studio.records.run(accepted.run_id)).status == "running"


async def stored(studio: Studio) -> list[int]:
    tables = ("checkpoints", "checkpoint_writes", "events", "messages", "list_items")
    return await studio.database.read(
        lambda c: [c.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar_one() for t in tables]
    )


# The order of the transcript


@pytest.mark.parametrize("multitask", ["enqueue", "interrupt"])
async def test_questions_and_answers_stand_in_the_order_of_the_runs(
    studio: Studio, two_steps: TwoSteps, multitask: Any
) -> None:
    await studio.work()
    first = await studio.submit("one", graph="wait")
    await two_steps.waits.wait()
    second = await studio.submit("two", thread_id=first.thread_id, graph="wait", multitask=multitask)
    said = await transcript(studio, first.thread_id)
    assert "two" in said  # kept at once; what the first one said may come a moment later
    if multitask == "enqueue":
        two_steps.door.set()
    await last_event(studio, first.run_id)
    two_steps.door.set()
    await last_event(studio, second.run_id)
    told = await transcript(studio, first.thread_id)
    spoken = ["spoken"] if multitask == "enqueue" else []
    assert told == ["one", "thought about one", *spoken, "two", "thought about two", "spoken"]
    assert told == await state(studio, first.thread_id)


async def test_what_a_stopped_run_left_in_the_state_is_told(studio: Studio, two_steps: TwoSteps) -> None:
    """It is stopped between the commit of a step and the news of it."""
    reached = asyncio.Event()

    class SlowNews(MotetSaver):
        """Tells late that the first step's checkpoint is on disk."""

        async def aput(self, *given: Any, **named: Any) -> Any:
            done = await super().aput(*given, **named)
            if len(given[1]["channel_values"].get("messages", ())) == 2 and not reached.is_set():
                reached.set()
                await asyncio.sleep(60)
            return done

    studio.saver = SlowNews(studio.database, Seal(derive_keys("k" * 32)))
    worker = await studio.work()
    run = await studio.submit("one", graph="wait")
    await asyncio.wait_for(reached.wait(), 20)
    await worker.stop(run.run_id, "enough")
    assert (await last_event(studio, run.run_id)).type == "run.cancelled"
    assert await transcript(studio, run.thread_id) == ["one", "thought about one"]
    assert await state(studio, run.thread_id) == ["one", "thought about one"]
