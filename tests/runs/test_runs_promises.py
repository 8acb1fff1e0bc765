"""Promises about stopping: in every state, once, for good; and what happens to those who write twice."""

import asyncio
import contextlib
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import MessagesState
from langgraph.prebuilt import ToolNode
from studio import TENANT, Studio, graph_of
from texting import Walk

from motet.errors import LeaseLost, ModelUnavailable
from motet.events import Notice, RunCompleted
from motet.runs.request import RunRequest
from motet.sandbox.box import Sandbox
from motet.settings import SandboxSettings, ToolSettings
from motet.tools.base import ToolContext
from motet.tools.making import build_tools

NO_BOX = asyncio.run(Sandbox(SandboxSettings()).problem())


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


def calls(tool: BaseTool, arguments: dict[str, Any]) -> Callable[[], Any]:
    """A graph that calls a tool once."""

    async def agent(state: MessagesState) -> dict[str, Any]:
        call = {"name": tool.name, "args": arguments, "id": "call_1", "type": "tool_call"}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    tools = ToolNode([tool])

    async def work(state: MessagesState) -> dict[str, Any]:
        return await tools.ainvoke(state)

    return graph_of(agent, work)


async def test_a_run_stops_inside_of_a_tool(studio: Studio) -> None:
    began, ended = asyncio.Event(), list[str]()

    @tool
    async def linger() -> str:
        """Wait for very long."""
        began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "never"

    studio.graphs["wait"] = calls(linger, {})
    await studio.work()
    run = await studio.submit("hi", graph="wait")
    async with asyncio.timeout(20):
        await began.wait()
    await cancelled(studio, run.run_id)
    assert ended == ["cancelled"]


async def test_a_run_stops_while_a_tool_blocks_its_thread(studio: Studio) -> None:
    """A thread cannot be ended; the run does not wait for it, and nothing that it returns is told."""
    began, let = threading.Event(), threading.Event()

    @tool
    def block() -> str:
        """Block a thread."""
        began.set()
        let.wait(60)
        return "late"

    studio.graphs["wait"] = calls(block, {})
    await studio.work()
    run = await studio.submit("hi", graph="wait")
    assert await asyncio.to_thread(began.wait, 20)
    try:
        await cancelled(studio, run.run_id)
    finally:
        let.set()
    assert "late" not in str(await studio.events(run.run_id))


@pytest.mark.skipif(bool(NO_BOX), reason=f"no sandbox here: {NO_BOX}")
async def test_a_run_stops_inside_of_the_sandbox_and_the_program_ends(studio: Studio) -> None:
    marker = f"motet-{os.urandom(8).hex()}"
    context = ToolContext(ToolSettings(enable="shell"), sandbox=Sandbox(SandboxSettings()))
    [shell] = build_tools(context, ["shell"])
    studio.graphs["wait"] = calls(shell, {"command": f"sleep 1000; echo {marker}"})
    await studio.work()
    run = await studio.submit("hi", graph="wait")
    async with asyncio.timeout(30):
        while not running(marker):  # noqa: ASYNC110  # the process is in another world
            await asyncio.sleep(0.01)
    await cancelled(studio, run.run_id)
    assert running(marker) == []


def running(marker: str) -> list[str]:
    """Return the processes that have a marker in their command lines; ended ones have none."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += [path.parent.name] if marker.encode() in path.read_bytes() else []
    return found


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
