"""An answer that broke off is begun anew, and nobody joins the two. Real sockets, a real graph around the model."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph

from motet.errors import ModelUnavailable
from motet.events import Event, MessageDelta, MessageSuperseded
from motet.models.roles import Models
from motet.models.scripted import Call, ToolCall
from motet.models.scripted_faults import FaultPlan
from motet.models.scripted_server import ScriptedServer
from motet.runs.translate import STREAM_MODES, Translator
from motet.settings import Settings

ANSWER = "One two three four five six seven."


@tool
def look(word: str) -> str:
    """Look a word up."""
    return word


async def played(
    settings: Settings, script: Any, *faults: str, tools: bool = False
) -> tuple[Any, list[Event]]:
    """Ask a one-node graph; return its answer and its events."""
    async with ScriptedServer(script, faults=[FaultPlan.parse(fault) for fault in faults]) as server:
        models = Models(settings.replace(models__retry_pause_s=0.001))
        chat: Any = (await models.chat("fast", f"x:scripted@{server.base_url}")).chat
        bound = chat.bind_tools([look]) if tools else chat

        async def node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await bound.ainvoke(state["messages"])]}

        builder = StateGraph(MessagesState)
        builder.add_node("model", node)
        builder.add_edge(START, "model")
        builder.add_edge("model", END)
        translator = Translator()
        events: list[Event] = []
        last: Any = None
        stream: Any = builder.compile().astream(
            {"messages": [HumanMessage("hi")]}, stream_mode=STREAM_MODES, subgraphs=True
        )
        try:
            async for part in stream:
                events += translator.translate(part)
                last = part[2] if part[1] == "values" else last
        finally:
            await models.aclose()
        return last["messages"][-1], events


def texts(events: list[Event]) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in events:
        if isinstance(event, MessageDelta):
            found[event.message_id] = found.get(event.message_id, "") + event.text
    return found


@pytest.mark.parametrize("fault", ["break", "reset", "break;after=4"])
async def test_a_broken_answer_is_superseded(settings: Settings, fault: str) -> None:
    message, events = await played(settings, lambda _: ANSWER, fault)
    (void,) = [event for event in events if isinstance(event, MessageSuperseded)]
    told = texts(events)
    assert message.text == ANSWER
    assert told.pop(message.id) == ANSWER
    assert list(told) == [void.message_id]
    assert ANSWER.startswith(told[void.message_id])
    assert void.reason


async def test_what_was_never_told_is_not_superseded(settings: Settings) -> None:
    message, events = await played(settings, lambda _: ANSWER, "http_503", "http_503;at=2")
    assert message.text == ANSWER
    assert not [event for event in events if isinstance(event, MessageSuperseded)]


async def test_a_model_that_always_breaks_off_is_given_up(settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match="broke"):
        await played(settings, lambda _: ANSWER, "break;times=0")


async def test_a_call_that_cannot_be_used_is_shown_to_the_model(settings: Settings) -> None:
    asked: list[str] = []

    def script(call: Call) -> ToolCall:
        asked.append(call.user_text)
        return ToolCall("look", {"word": "owl"})

    message, _ = await played(settings, script, "bad_arguments;times=2", tools=True)
    assert [call["args"] for call in message.tool_calls] == [{"word": "owl"}]
    assert len(asked) == 3
    assert "could not be used: its arguments are not a JSON object" in asked[-1]
