"""Promises about stopping: in every state, once, for good; and what happens to those who write twice."""

import asyncio
import random
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState
from studio import TENANT, Studio, graph_of
from texting import Walk

from motet.errors import LeaseLost, ModelUnavailable
from motet.events import Notice, RunCompleted
from motet.runs.request import RunRequest


async def ends(studio: Studio, run_id: str) -> str:
    """Follow a run to its end; return its last event's type. Nothing comes after it."""
    async with asyncio.timeout(10):
        told = await studio.events(run_id)
    last = (await studio.log.read(TENANT, run_id))[-1]
    assert last.event == told[-1]
    return last.event.type


async def cancelled(studio: Studio, run_id: str) -> None:
    """Ask a run to stop, twice, and see it stopped."""
    assert await studio.queue.request_cancel(TENANT, run_id)
    again = await studio.queue.request_cancel(TENANT, run_id)
    assert await ends(studio, run_id) == "run.cancelled"
    assert (await studio.records.run(run_id)).status == "cancelled"
    assert again in (True, False)  # it may have ended in between
    assert not await studio.queue.request_cancel(TENANT, run_id)


async def _down(_: MessagesState) -> dict[str, Any]:
    raise ModelUnavailable("not now")


async def test_a_run_stops_in_every_state_that_it_can_wait_in(studio: Studio) -> None:
    studio.graphs["fail"] = graph_of(_down)
    waiting = await studio.submit("hi")  # nobody works yet
    late = await studio.submit("hi", delay_s=60)
    for run in (waiting, late):
        await cancelled(studio, run.run_id)
    await studio.work()
    at_work = await studio.submit("hi", graph="wait")
    behind = await studio.submit("hi", graph="wait", thread_id=at_work.thread_id)
    async for recorded in studio.log.follow(TENANT, at_work.run_id):
        if recorded.event.type == "run.started":
            break
    for run in (behind, at_work):
        await cancelled(studio, run.run_id)
    backs_off = await studio.submit("hi", graph="fail")
    async for recorded in studio.log.follow(TENANT, backs_off.run_id):
        if recorded.event.type == "run.retrying":
            await cancelled(studio, backs_off.run_id)
            break


async def test_a_run_that_goes_on_with_an_answer_stops(studio: Studio) -> None:
    async def linger(state: MessagesState) -> dict[str, Any]:
        from langgraph.types import interrupt

        if len(state["messages"]) == 1:
            interrupt("really?")
            await asyncio.sleep(60)
        return {"messages": [AIMessage("done")]}

    studio.graphs["ask"] = graph_of(linger)
    await studio.work()
    asked = await studio.submit("hi", graph="ask")
    assert await ends(studio, asked.run_id) == "run.interrupted"
    assert not await studio.queue.request_cancel(TENANT, asked.run_id)  # it waits for a person and has ended
    answer = RunRequest(graph="ask", thread_id=asked.thread_id, resume="yes")
    goes_on = await studio.gate.submit(answer)
    async for recorded in studio.log.follow(TENANT, goes_on.run_id):
        if recorded.event.type == "run.started":
            break
    await cancelled(studio, goes_on.run_id)


async def test_who_stops_a_run_that_is_about_to_end_hears_one_end(studio: Studio) -> None:
    for _ in range(20):
        accepted = await studio.submit("hi")
        claim = await studio.queue.claim("w1")
        assert claim is not None
        asked, done = await asyncio.gather(
            studio.queue.request_cancel(TENANT, accepted.run_id),
            studio.log.append(claim, [RunCompleted(output={})]),
        )
        assert done[-1].event.type == "run.completed"
        assert asked in (True, False)
        with pytest.raises(LeaseLost):
            await studio.log.append(claim, [Notice(text="later")])
        kinds = [r.event.type for r in await studio.log.read(TENANT, accepted.run_id)]
        assert kinds.count("run.completed") == 1
        assert kinds[-1] == "run.completed"
        assert (await studio.records.run(accepted.run_id)).status == "success"


async def test_the_four_ways_to_write_to_a_busy_thread_do_what_they_say(studio: Studio) -> None:
    walk = Walk(studio, random.Random(1))
    for _ in range(40):
        await walk.step()
    assert any("rollback on a busy" in what for what in walk.counts)
