"""LangGraph's real stream, from small real graphs, becomes Motet's events: each thing once, in order."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from motet.events import (
    ARGUMENTS_KEY,
    CITATIONS_KEY,
    Custom,
    Event,
    InterruptRequested,
    MessageCompleted,
    MessageDelta,
    Notice,
    Passage,
    ToolCompleted,
    ToolStarted,
)
from motet.models.scripted import ScriptedChatModel, ToolCall
from motet.runs.translate import STREAM_MODES, Translator, new_messages, plain

ASKED = {"messages": [HumanMessage("hi", id="h1")]}


async def told(
    graph: Any, given: Any = None, config: Any = None, *, translator: Translator | None = None
) -> list[Event]:
    """Stream a graph as the engine does; return the events."""
    translator = translator or Translator()
    parts = graph.astream(given or ASKED, config, stream_mode=STREAM_MODES, subgraphs=True)
    return [event async for part in parts for event in translator.translate(part)]


def kinds(events: list[Event]) -> list[str]:
    """The types, with pieces of one message as one."""
    names = [event.type for event in events]
    return [name for i, name in enumerate(names) if name != "message.delta" or names[i - 1 : i] != [name]]


def chain(*nodes: Any, state: Any = MessagesState) -> Any:
    """A graph of functions or graphs, one after the other: `node0`, `node1`, …"""
    builder = StateGraph(state)
    names = [f"node{i}" for i in range(len(nodes))]
    for name, node in zip(names, nodes, strict=True):
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    return builder.compile()


def speaker(*replies: Any) -> Any:
    """A node that asks a model for the next reply."""
    model = ScriptedChatModel(script=list(replies))

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return speak


@tool
def look(word: str) -> str:
    """Look a word up."""
    if word == "nothing":
        raise ValueError("no such word")
    return f"{word} is a word"


def agent(*replies: Any) -> Any:
    """A model and its tools, round and round."""
    builder = StateGraph(MessagesState)
    builder.add_node("model", speaker(*replies))
    builder.add_node("tools", ToolNode([look], handle_tool_errors=True))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "model")
    return builder.compile()


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, MessageCompleted)]


# Text


async def test_a_models_tokens_come_piece_by_piece_and_then_the_whole_message() -> None:
    events = await told(chain(speaker("A motet is a piece for several voices. 多声部。")))
    pieces = [event for event in events if isinstance(event, MessageDelta)]
    [whole] = [event for event in events if isinstance(event, MessageCompleted)]
    assert len(pieces) > 3
    assert (
        "".join(piece.text for piece in pieces)
        == whole.text
        == "A motet is a piece for several voices. 多声部。"
    )
    assert {piece.message_id for piece in pieces} == {whole.message_id}
    assert events[-1] is whole
    assert whole.role == "assistant"


async def test_a_model_that_is_called_from_a_plain_function_streams_too() -> None:
    model = ScriptedChatModel(script=["plainly said"])

    def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    events = await told(chain(speak))
    assert "".join(e.text for e in events if isinstance(e, MessageDelta)) == "plainly said"
    assert texts(events) == ["plainly said"]


async def test_an_answer_that_no_model_wrote_is_told_whole() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("ready-made", id="m1")]}

    assert await told(chain(speak)) == [
        MessageCompleted(message_id="m1", role="assistant", text="ready-made")
    ]


async def test_what_others_said_and_empty_answers_are_not_told() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        given = [HumanMessage("x", id="1"), SystemMessage("y", id="2"), AIMessage("", id="3")]
        return {"messages": given}

    assert await told(chain(speak)) == []


async def test_an_answer_keeps_its_citations() -> None:
    passage = Passage(passage_id="p1", text="海上", source="a.md", number=1)

    async def speak(state: MessagesState) -> dict[str, Any]:
        cited = {CITATIONS_KEY: [passage.model_dump()]}
        return {"messages": [AIMessage("See [1].", id="m1", additional_kwargs=cited)]}

    [event] = await told(chain(speak))
    assert isinstance(event, MessageCompleted)
    assert event.citations == [passage]


# Tools


async def test_a_tool_call_is_told_when_it_is_asked_for_and_when_it_is_answered() -> None:
    events = await told(agent(ToolCall("look", {"word": "motet"}, call_id="c1"), "It is a word."))
    assert kinds(events) == ["tool.started", "tool.completed", "message.delta", "message.completed"]
    assert events[0] == ToolStarted(tool_call_id="c1", name="look", arguments={"word": "motet"})
    assert events[1] == ToolCompleted(tool_call_id="c1", name="look", content="motet is a word")


@pytest.mark.parametrize("changed", [None, {"word": "鱼"}])
async def test_a_call_that_an_earlier_run_asked_for_is_told_with_its_arguments_when_it_ends(
    changed: dict[str, Any] | None,
) -> None:
    """Its beginning is in the other run's log. A person may have changed it, in this run or the other."""
    asked = {"word": "fish"}
    more = {} if changed is None else {ARGUMENTS_KEY: changed}
    ended = ToolMessage("swims", tool_call_id="c1", name="look", additional_kwargs=more)
    translator = Translator()
    translator.know([AIMessage("", id="m0", tool_calls=[{"name": "look", "args": asked, "id": "c1"}])])
    events = await told(chain(lambda state: {"messages": [ended]}), translator=translator)
    said = changed or asked
    assert events == [ToolCompleted(tool_call_id="c1", name="look", content="swims", arguments=said)]
    began = Translator()
    began.know_events([ToolStarted(tool_call_id="c1", name="look", arguments=asked)])
    [event] = await told(chain(lambda state: {"messages": [ended]}), translator=began)
    assert isinstance(event, ToolCompleted)
    assert event.arguments == changed
    assert ("arguments" in event.model_dump()) is (changed is not None)


async def test_a_server_that_gives_every_call_the_same_id_has_each_told() -> None:
    """In one run and in the next, and after a crash those alone that were not told."""
    calls = [ToolCall("look", {"word": "motet"}, call_id="look:0") for _ in range(2)]
    events = await told(agent(calls[0], calls[1], "It is a word."))
    began = ["tool.started", "tool.completed"]
    assert kinds(events) == [*began * 2, "message.delta", "message.completed"]
    earlier = [
        AIMessage("", id="m0", tool_calls=[{"name": "look", "args": {"word": "old"}, "id": "look:0"}]),
        ToolMessage("found", id="t0", tool_call_id="look:0", name="look"),
    ]
    later = Translator()
    later.know(earlier)
    events = await told(agent(calls[0], "It is a word."), translator=later)
    assert kinds(events)[:2] == began
    assert isinstance(events[1], ToolCompleted)
    assert events[1].arguments is None
    mine = [
        AIMessage("", id="m1", tool_calls=[{"name": "look", "args": {"word": "new"}, "id": "look:0"}]),
        ToolMessage("new", id="t1", tool_call_id="look:0", name="look"),
    ]
    crashed = Translator()
    crashed.know_events([ToolStarted(tool_call_id="look:0", name="look", arguments={"word": "new"})])
    crashed.know(earlier)
    assert list(crashed.answers(mine)) == [ToolCompleted(tool_call_id="look:0", name="look", content="new")]
    assert list(crashed.answers([*earlier, *mine])) == []


async def test_a_result_told_before_a_crash_of_a_call_that_an_earlier_run_told_is_not_told_again() -> None:
    """The run that answers a question goes on inside of an agent, whose call's message the state does not have."""
    mine = [
        AIMessage("", id="m1", tool_calls=[{"name": "look", "args": {"word": "new"}, "id": "look:0"}]),
        ToolMessage("new", id="t1", tool_call_id="look:0", name="look"),
    ]
    ended = ToolCompleted(tool_call_id="look:0", name="look", content="new")
    crashed = Translator()
    crashed.know_events([ended])
    assert list(crashed.answers(mine)) == []
    again = [mine[0].model_copy(update={"id": "m2"}), mine[1].model_copy(update={"id": "t2"})]
    assert [event.type for event in crashed.answers(again)] == ["tool.started", "tool.completed"]
    known = Translator()
    known.know_events([ended])
    known.know(mine)
    assert [event.type for event in known.answers(again)] == ["tool.started", "tool.completed"]


async def test_calls_side_by_side_and_calls_that_fail_are_told_apart() -> None:
    calls = [ToolCall("look", {"word": word}, call_id=word) for word in ("motet", "nothing")]
    events = await told(agent(calls, "Done."))
    found = {e.tool_call_id: e for e in events if isinstance(e, ToolCompleted)}
    assert (found["motet"].status, found["nothing"].status) == ("success", "error")
    assert "no such word" in found["nothing"].content
    assert len([e for e in events if isinstance(e, ToolStarted)]) == 2


async def test_words_before_a_call_are_no_answer() -> None:
    reply = AIMessage("Let me look.", tool_calls=[{"name": "look", "args": {"word": "a"}, "id": "c1"}])
    assert texts(await told(agent(reply, "Found."))) == ["Found."]


# Sub-graphs


@pytest.mark.parametrize("depth", [1, 2])
async def test_what_a_sub_graph_and_its_parents_report_is_told_once(depth: int) -> None:
    graph = agent(ToolCall("look", {"word": "motet"}, call_id="c1"), "It is a word.")
    for _ in range(depth):
        graph = chain(graph)
    events = await told(graph)
    assert kinds(events) == ["tool.started", "tool.completed", "message.delta", "message.completed"]
    assert texts(events) == ["It is a word."]


async def test_what_a_sub_graph_keeps_to_itself_is_no_answer() -> None:
    inner = agent(ToolCall("look", {"word": "motet"}, call_id="c1"), "for the parent alone")

    async def ask(state: MessagesState) -> dict[str, Any]:
        found = await inner.ainvoke({"messages": [HumanMessage("look it up")]})
        return {"messages": [AIMessage(f"They say: {found['messages'][-1].text}", id="m1")]}

    events = await told(chain(ask))
    assert texts(events) == ["They say: for the parent alone"]
    assert [e.type for e in events if e.type.startswith("tool.")] == ["tool.started", "tool.completed"]


async def test_steps_side_by_side_are_all_told() -> None:
    async def part(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage(f"part {state['n']}", id=f"m{state['n']}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("part", part)
    builder.add_conditional_edges(START, lambda _: [Send("part", {"n": n}) for n in range(3)], ["part"])
    assert sorted(texts(await told(builder.compile()))) == ["part 0", "part 1", "part 2"]


# Shapes of updates


async def test_every_form_in_which_a_node_can_give_its_update_is_understood() -> None:
    async def one_message(state: MessagesState) -> dict[str, Any]:
        return {"messages": AIMessage("alone", id="m1")}

    async def command(state: MessagesState) -> Command[Any]:
        return Command(update={"messages": [AIMessage("by command", id="m2")]})

    async def commands(state: MessagesState) -> list[Command[Any]]:
        return [Command(update={"messages": [AIMessage(f"of several {i}", id=f"m3{i}")]}) for i in range(2)]

    async def nothing(state: MessagesState) -> None:
        return None

    events = await told(chain(one_message, command, commands, nothing))
    assert texts(events) == ["alone", "by command", "of several 0", "of several 1"]


async def test_a_state_that_is_a_list_of_messages_is_understood() -> None:
    async def speak(state: list[AnyMessage]) -> list[AnyMessage]:
        return [AIMessage("from a list", id="m1")]

    graph = chain(speak, state=Annotated[list[AnyMessage], add_messages])
    assert texts(await told(graph, [HumanMessage("hi")])) == ["from a list"]


async def test_a_state_of_another_kind_gives_nothing_and_breaks_nothing() -> None:
    class Counted(BaseModel):
        n: int = 0
        messages: str = "not a list of messages"

    async def count(state: Counted) -> dict[str, Any]:
        return {"n": state.n + 1}

    async def write(state: Counted) -> dict[str, Any]:
        return {"messages": "still none"}

    assert await told(chain(count, write, state=Counted), {"n": 1}) == []


async def test_messages_without_a_form_of_their_own_are_told_at_the_end() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("assistant", "a pair"), {"role": "assistant", "content": "a dictionary"}]}

    graph, translator = chain(speak), Translator()
    assert await told(graph, translator=translator) == []
    values = await graph.ainvoke(ASKED)
    assert texts(list(translator.answers(new_messages(values, ["h1"])))) == ["a pair", "a dictionary"]
    assert list(translator.answers(values["messages"])) == []  # each once


async def test_what_was_there_before_is_not_told() -> None:
    calls = [{"name": "look", "args": {}, "id": "c1"}]
    before = [
        AIMessage("", id="a1", tool_calls=calls),
        ToolMessage("x", tool_call_id="c1"),
        AIMessage("old", id="m1"),
    ]

    async def all_of_it(state: MessagesState) -> dict[str, Any]:
        return {"messages": [*before, AIMessage("new", id="m2")]}

    translator = Translator()
    translator.know(before)
    assert texts(events := await told(chain(all_of_it), translator=translator)) == ["new"]
    assert len(events) == 1


# Interrupts and what graphs write themselves


async def test_a_question_to_a_person_is_told_once_however_deep_it_is_asked() -> None:
    async def ask(state: MessagesState) -> dict[str, Any]:
        answer = interrupt(
            {"question": "really?", "choices": ("yes", "no"), "seen": HumanMessage("hm", id="h9")}
        )
        return {"messages": [AIMessage(f"you said {answer}", id="m1")]}

    graph = chain(chain(chain(ask))).copy({"checkpointer": InMemorySaver()})
    config = {"configurable": {"thread_id": "t"}}
    translator = Translator()
    [event] = await told(graph, config=config, translator=translator)
    assert isinstance(event, InterruptRequested)
    assert event.value["question"] == "really?"
    assert event.value["choices"] == ["yes", "no"]
    assert event.value["seen"]["content"] == "hm"
    assert translator.interrupted
    after = Translator()
    assert texts(await told(graph, Command(resume="yes"), config, translator=after)) == ["you said yes"]
    assert not after.interrupted


async def test_questions_side_by_side_are_all_told() -> None:
    async def ask(state: Any) -> dict[str, Any]:
        interrupt(state["n"])
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_conditional_edges(START, lambda _: [Send("ask", {"n": n}) for n in range(2)], ["ask"])
    graph = builder.compile(checkpointer=InMemorySaver())
    events = await told(graph, config={"configurable": {"thread_id": "t"}})
    asked = [event for event in events if isinstance(event, InterruptRequested)]
    assert sorted(event.value for event in asked) == [0, 1]
    assert len({event.interrupt_id for event in asked}) == 2


async def test_events_pass_through_and_anything_else_is_custom_and_plain() -> None:
    notice = Notice(text="slow today")

    @dataclass
    class Odd:
        n: int

    async def write(state: MessagesState) -> dict[str, Any]:
        writer = get_stream_writer()
        writer(notice)
        writer({"odd": Odd(3), "message": AIMessage("x", id="m1")})
        writer("text")
        writer({"type": "notice", "text": "only looks like one"})
        return {}

    events = await told(chain(chain(write)))
    assert events[0] is notice
    assert [type(event) for event in events[1:]] == [Custom] * 3
    odd, text, look_alike = [event.data for event in events[1:] if isinstance(event, Custom)]
    assert (odd["message"]["content"], odd["odd"]) == ("x", {"n": 3})
    assert (text, look_alike["type"]) == ("text", "notice")


# Values as plain JSON


class Model(BaseModel):
    n: int = 1
    anything: Any = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        ("海", "海"),
        ((1, {2}), [1, [2]]),
        ({1: {"a": [Model()]}}, {"1": {"a": [{"n": 1, "anything": None}]}}),
        (Model(anything=object), {"n": 1, "anything": str(object)}),
        (Model, str(Model)),
        (b"x", "b'x'"),
        (frozenset({"a"}), ["a"]),
        ([], []),
    ],
    ids=repr,
)
def test_any_value_becomes_plain_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected


def test_a_message_whose_artifact_is_no_json_becomes_plain_all_the_same() -> None:
    found = plain(ToolMessage("text", tool_call_id="c1", artifact=object()))
    assert (found["content"], found["type"]) == ("text", "tool")
    assert found["artifact"].startswith("<object")


def test_new_messages_are_those_after_the_last_that_was_given() -> None:
    messages = [
        HumanMessage("a", id="1"),
        AIMessage("b", id="2"),
        HumanMessage("c", id="3"),
        AIMessage("d", id="4"),
    ]
    values = {"messages": messages}
    assert [m.id for m in new_messages(values, ["1", "3"])] == ["4"]
    assert [m.id for m in new_messages(values, ["1"])] == ["2", "3", "4"]
    assert [m.id for m in new_messages(values, ["4"])] == []
    assert [m.id for m in new_messages(values, ["gone"])] == ["1", "2", "3", "4"]
    assert [m.id for m in new_messages(messages, ["3"])] == ["4"]
    assert [m.id for m in new_messages({"__root__": messages}, ["3"])] == ["4"]  # as a checkpoint has it
    for empty in (None, {}, {"messages": []}, {"messages": "text"}, "text", 3):
        assert new_messages(empty, ["1"]) == []
