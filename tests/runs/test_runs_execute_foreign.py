"""Graphs as other people write them, executed by the engine: what the log tells of them, and that they end."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from studio import Studio, graph_of

from motet.events import (
    Event,
    MessageCompleted,
    MessageDelta,
    RunCompleted,
    ToolCompleted,
    ToolStarted,
    Usage,
)
from motet.models.scripted import ScriptedChatModel


def texts(events: list[Event]) -> list[str]:
    return [e.text for e in events if isinstance(e, MessageCompleted) and e.role == "assistant"]


def calls(count: int) -> Any:
    """A node that calls a tool, gets its result and answers, all under ids that count turns."""

    async def node(state: MessagesState) -> dict[str, Any]:
        n = len([m for m in state["messages"] if isinstance(m, HumanMessage)])
        call = AIMessage("", id=f"a{n}", tool_calls=[{"name": "look", "args": {"n": n}, "id": f"c{n}"}])
        told = ToolMessage("found", id=f"t{n}", tool_call_id=f"c{n}", name="look")
        return {"messages": [call, told, AIMessage(f"answer {n}", id=f"m{n}")]}

    return graph_of(node)


def within(build: Any) -> Any:
    """A graph whose only node is another graph: its update repeats the whole state."""

    def outer() -> Any:
        builder = StateGraph(MessagesState)
        builder.add_node("inner", build())
        builder.add_edge(START, "inner")
        builder.add_edge("inner", END)
        return builder.compile()

    return outer


async def test_a_later_run_does_not_repeat_what_an_earlier_one_told(studio: Studio) -> None:
    studio.graphs["echo"] = within(calls(1))
    await studio.work()
    first = await studio.submit("one")
    assert texts(await studio.events(first.run_id)) == ["answer 1"]
    second = await studio.submit("two", thread_id=first.thread_id)
    events = await studio.events(second.run_id)
    assert texts(events) == ["answer 2"]
    assert [e.tool_call_id for e in events if isinstance(e, ToolStarted)] == ["c2"]
    assert [e.tool_call_id for e in events if isinstance(e, ToolCompleted)] == ["c2"]


async def test_a_run_that_was_taken_up_again_does_not_repeat_its_tools(studio: Studio) -> None:
    from test_runs_execute import end_lease

    reached, attempts = asyncio.Event(), [0]

    async def hang(state: MessagesState) -> dict[str, Any]:
        attempts[0] += 1
        if attempts[0] == 1:
            reached.set()
            await asyncio.sleep(60)
        return {"messages": [AIMessage("all done", id="end")]}

    def build() -> Any:
        inner = StateGraph(MessagesState)
        inner.add_node("calls", calls(1)())
        inner.add_node("hang", hang)
        inner.add_edge(START, "calls")
        inner.add_edge("calls", "hang")
        inner.add_edge("hang", END)
        return inner.compile()

    studio.graphs["echo"] = within(build)
    accepted = await studio.submit("one")
    claim = await studio.queue.claim("gone")
    assert claim is not None
    task = asyncio.create_task(studio.engine.execute(claim, stopped=lambda: None))
    await reached.wait()
    await asyncio.sleep(0.1)  # checkpoints and events are written in the background
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await end_lease(studio)
    await studio.work()
    events = await studio.events(accepted.run_id)
    assert texts(events) == ["answer 1", "all done"]
    assert [e.tool_call_id for e in events if isinstance(e, ToolStarted)] == ["c1"]
    assert [e.tool_call_id for e in events if isinstance(e, ToolCompleted)] == ["c1"]


async def test_a_plain_function_that_calls_a_model_is_counted_and_told(studio: Studio) -> None:
    model = ScriptedChatModel(script=["one answer", "another"])

    def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def again(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    studio.graphs["echo"] = graph_of(speak, again)
    await studio.work()
    events = await studio.events((await studio.submit("hi")).run_id)
    assert texts(events) == ["one answer", "another"]
    assert [e.model for e in events if isinstance(e, Usage)] == ["scripted", "scripted"]
    assert events[-1].type == "run.completed"


async def test_a_model_that_is_called_without_awaiting_in_a_coroutine_does_not_hang(studio: Studio) -> None:
    model = ScriptedChatModel(script=["blocking"])

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    studio.graphs["echo"] = graph_of(speak)
    await studio.work()
    events = await asyncio.wait_for(studio.events((await studio.submit("hi")).run_id), 10)
    assert texts(events) == ["blocking"]
    assert len([e for e in events if isinstance(e, Usage)]) == 1


async def test_half_a_character_in_an_answer_does_not_end_the_run(studio: Studio) -> None:
    call = {"name": "look", "args": {"word": "\ud83d"}, "id": "c1"}

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("", tool_calls=[call]), AIMessage("half \ud83d a face", id="m1")]}

    studio.graphs["echo"] = graph_of(speak)
    await studio.work()
    accepted = await studio.submit("hi")
    events = await studio.events(accepted.run_id)
    assert texts(events) == ["half \ufffd a face"]
    assert events[-1].type == "run.completed"
    assert [m.text for m in await studio.records.messages(accepted.thread_id)] == ["hi", "half \ufffd a face"]


async def test_a_tools_artifact_of_any_kind_does_not_end_the_run(studio: Studio) -> None:
    studio.saver = InMemorySaver()

    async def speak(state: MessagesState) -> dict[str, Any]:
        told = ToolMessage("found", tool_call_id="c1", name="look", artifact={1, 2})
        return {"messages": [told, AIMessage("answer", id="m1")]}

    studio.graphs["echo"] = graph_of(speak)
    await studio.work()
    last = (await studio.events((await studio.submit("hi")).run_id))[-1]
    assert isinstance(last, RunCompleted)
    assert [m["content"] for m in last.output["messages"]] == ["found", "answer"]


async def test_text_pieces_and_the_whole_are_one_message_in_the_log(studio: Studio) -> None:
    model = ScriptedChatModel(script=["a long answer in many small pieces"], piece_chars=2)

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    studio.graphs["echo"] = graph_of(speak)
    await studio.work()
    events = await studio.events((await studio.submit("hi")).run_id)
    pieces = [e for e in events if isinstance(e, MessageDelta)]
    [whole] = [e for e in events if isinstance(e, MessageCompleted) and e.role == "assistant"]
    assert "".join(p.text for p in pieces) == whole.text
    assert {p.message_id for p in pieces} == {whole.message_id}
    assert [type(e) for e in events[-3:]] == [Usage, MessageCompleted, RunCompleted]


@pytest.mark.parametrize("wrong", [3, "text", None])
async def test_a_node_that_returns_no_update_ends_its_run_typed(studio: Studio, wrong: object) -> None:
    async def node(state: MessagesState) -> Any:
        return wrong

    studio.graphs["echo"] = graph_of(node)
    await studio.work()
    events = await studio.events((await studio.submit("hi")).run_id)
    assert events[-1].type == ("run.completed" if wrong is None else "run.failed")


async def test_a_sub_graph_that_stores_nothing_runs_too(studio: Studio) -> None:
    async def inner(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("from inside", id="m1")]}

    unstored = graph_of(inner)()
    unstored.checkpointer = False

    async def outer(state: MessagesState) -> dict[str, Any]:
        return await unstored.ainvoke(state)

    studio.graphs["echo"] = graph_of(outer)
    await studio.work()
    events = await studio.events((await studio.submit("hi")).run_id)
    assert texts(events) == ["from inside"]
    assert events[-1].type == "run.completed"
