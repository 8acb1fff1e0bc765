"""What a run records of LangGraph's own stream, through the whole engine room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import agent_graphs
import pytest
from studio import Studio, open_studio

from motet.events import InterruptRequested, RunCompleted, RunFailed, RunInterrupted, StreamPart
from motet.runs.drive import Drive, SendTo, StateWrite
from motet.runs.request import Accepted, RunRequest
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare

GRAPHS = {
    "agent": agent_graphs.build_agent,
    "notes": agent_graphs.build_notes,
    "ask": agent_graphs.build_ask,
    "nested": agent_graphs.build_nested,
}


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """SQLite alone: what is recorded passes through the same log on both."""
    database = Database(settings.storage)
    prepare(database, settings.storage)
    yield database
    database.close()


@pytest.fixture
async def room(database: Database, settings: Settings) -> AsyncIterator[Studio]:
    async with open_studio(database, settings, GRAPHS) as studio:
        await studio.work()
        yield studio


async def run(studio: Studio, **asked: Any) -> tuple[Accepted, list[Any]]:
    accepted = await studio.gate.submit(RunRequest(**asked))
    return accepted, await studio.events(accepted.run_id)


def parts(events: list[Any]) -> list[StreamPart]:
    return [event for event in events if isinstance(event, StreamPart)]


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


async def test_nothing_is_recorded_unless_it_is_asked_for(room: Studio) -> None:
    _, events = await run(room, graph="agent", input=said("hi"))
    assert parts(events) == []


async def test_parts_are_recorded_in_the_order_in_which_langgraph_tells_them(room: Studio) -> None:
    modes = ["values", "updates", "messages", "custom", "tasks", "checkpoints", "debug"]
    _, events = await run(
        room, graph="agent", input=said("add 2 3"), drive=Drive.model_validate({"record": modes})
    )
    native = agent_graphs.build_agent().astream(said("add 2 3"), stream_mode=modes, subgraphs=True)
    assert [part.mode for part in parts(events) if part.mode not in ("checkpoints", "debug")] == [
        mode async for _, mode, _ in native if mode not in ("checkpoints", "debug")
    ]
    assert {part.mode for part in parts(events)} == set(modes)
    assert isinstance(events[-1], RunCompleted)


async def test_what_langgraph_and_motet_keep_to_themselves_is_not_recorded(room: Studio) -> None:
    _, events = await run(
        room,
        graph="agent",
        input=said("hi"),
        drive=Drive(record=["messages", "checkpoints", "debug", "tasks"]),
    )
    assert "__pregel_" not in "".join(str(part.data) for part in parts(events) if part.mode == "checkpoints")
    assert "__motet" not in str([part.data for part in parts(events)])


async def test_graphs_within_the_graph_are_recorded_with_their_path(room: Studio) -> None:
    drive = Drive(record=["values", "updates"], subgraphs=True)
    _, events = await run(room, graph="nested", input=said("hi"), drive=drive)
    places = [(part.mode, [name.partition(":")[0] for name in part.namespace]) for part in parts(events)]
    assert ("updates", ["inner"]) in places
    assert places[-1] == ("values", [])
    _, events = await run(room, graph="nested", input=said("hi"), drive=Drive(record=["values", "updates"]))
    assert all(part.namespace == [] for part in parts(events))


async def test_every_callback_can_be_recorded(room: Studio) -> None:
    _, events = await run(room, graph="notes", input={"notes": []}, drive=Drive(record=["events", "values"]))
    names = [part.data["event"] for part in parts(events) if part.mode == "events"]
    assert names[0] == "on_chain_start"
    assert names[-1] == "on_chain_end"
    assert [part.data["notes"] for part in parts(events) if part.mode == "values"][-1][-1] == "second"


async def test_a_breakpoint_stops_a_run_and_going_on_passes_it(room: Studio) -> None:
    accepted, events = await run(
        room, graph="notes", input={"notes": []}, drive=Drive(interrupt_before=["second"], record=["updates"])
    )
    assert isinstance(events[-1], RunInterrupted)
    assert parts(events)[-1].data == {"__interrupt__": []}
    _, events = await run(room, thread_id=accepted.thread_id, graph="notes", drive=Drive(go_on=True))
    last = events[-1]
    assert isinstance(last, RunCompleted)
    assert last.output == {"notes": ["first for nobody at none", "second"], "total": 11}


async def test_a_command_changes_the_state_and_chooses_the_node(room: Studio) -> None:
    accepted, _ = await run(room, graph="notes", input={"notes": []})
    drive = Drive(update={"notes": ["by command"]}, goto=["second"])
    _, events = await run(room, thread_id=accepted.thread_id, graph="notes", drive=drive)
    assert events[-1].output == {
        "notes": ["first for nobody at none", "second", "by command", "second"],
        "total": 21,
    }
    drive = Drive(goto=[SendTo(node="second", input={"total": 5})])
    _, events = await run(room, thread_id=accepted.thread_id, graph="notes", drive=drive)
    assert events[-1].output["total"] == 15


async def test_a_run_can_go_on_from_an_earlier_checkpoint(room: Studio) -> None:
    accepted, _ = await run(room, graph="notes", input={"notes": ["one"]})
    graph = await room.graph("notes")
    config: Any = {"configurable": {"thread_id": accepted.thread_id}}
    history = [state async for state in graph.aget_state_history(config)]
    before = next(state for state in history if state.next == ("second",))
    drive = Drive(go_on=True, checkpoint_id=before.config["configurable"]["checkpoint_id"])
    _, events = await run(room, thread_id=accepted.thread_id, graph="notes", drive=drive)
    assert events[-1].output["notes"] == ["one", "first for nobody at none", "second"]
    newest = await graph.aget_state(config)
    fork = await graph.aget_state(newest.parent_config)
    assert fork.parent_config == before.config
    _, events = await run(
        room, thread_id=accepted.thread_id, graph="notes", drive=Drive(go_on=True, checkpoint_id="nope")
    )
    assert isinstance(events[-1], RunFailed)
    assert "nope" in events[-1].error["message"]


async def test_state_is_written_by_a_run_that_runs_nothing_and_the_transcript_has_it(room: Studio) -> None:
    accepted, _ = await run(room, graph="agent", input=said("hi"))
    steps = [
        [
            StateWrite(
                values={"messages": [{"role": "user", "content": "written", "id": "w1"}]}, as_node="model"
            )
        ]
    ]
    _, events = await run(room, thread_id=accepted.thread_id, graph="agent", drive=Drive(supersteps=steps))
    last = events[-1]
    assert isinstance(last, RunCompleted)
    graph = await room.graph("agent")
    state = await graph.aget_state({"configurable": {"thread_id": accepted.thread_id}})
    assert last.output["checkpoint"]["checkpoint_id"] == state.config["configurable"]["checkpoint_id"]
    assert state.values["messages"][-1].text == "written"
    told = [message.text for message in await room.records.messages(accepted.thread_id)]
    assert told == ["hi", "You said hi", "written"]


async def test_a_graph_has_its_context_and_what_the_gate_lets_through_of_its_config(room: Studio) -> None:
    room.gate = type(room.gate)(
        room.database,
        graphs=GRAPHS,
        default_graph="notes",
        on_accepted=room._wake,
        configurable=["level", "thread_id"],  # pyright: ignore[reportPrivateUsage]
    )
    drive = Drive(
        context={"who": "ann"},
        configurable={"level": "high", "thread_id": "stolen", "other": 1, "__pregel_x": 1},
    )
    accepted, events = await run(room, graph="notes", input={"notes": []}, drive=drive)
    assert events[-1].output["notes"][0] == "first for ann at high"
    assert accepted.thread_id != "stolen"


async def test_an_answer_may_come_with_a_command(room: Studio) -> None:
    accepted, events = await run(room, graph="ask", input={"notes": []})
    assert any(isinstance(event, InterruptRequested) for event in events)
    _, events = await run(
        room, thread_id=accepted.thread_id, resume="yes", drive=Drive(update={"notes": ["beside"]})
    )
    assert events[-1].output["notes"] == ["second", "beside", "you said yes"]
