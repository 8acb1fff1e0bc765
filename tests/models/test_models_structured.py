"""`ask_json` gives a valid object or a typed error, whatever the model writes."""

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, AnyMessage, HumanMessage, SystemMessage
from langgraph.constants import TAG_NOSTREAM
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel, Field

from motet.errors import ModelOutputInvalid, ModelRefused, ModelUnavailable
from motet.models.base import Capabilities, ConnectedModel, ModelSpec
from motet.models.scripted import Call, Reply, ScriptedChatModel, scripted
from motet.models.structured import NOSTREAM, ask_json, ask_json_with_odds


class Plan(BaseModel):
    steps: list[str] = Field(min_length=1)
    goal: str = ""


GOOD = Plan(steps=["look", "answer"], goal="know")


def model(*replies: Any, json_schema: bool = True) -> ConnectedModel:
    chat = ScriptedChatModel(script=list(replies))
    return ConnectedModel(ModelSpec("scripted", "plan"), chat, Capabilities("native", json_schema))


def calls(connected: ConnectedModel) -> list[Call]:
    assert isinstance(connected.chat, ScriptedChatModel)
    return connected.chat.calls


def test_the_tag_is_langgraphs() -> None:
    assert NOSTREAM == TAG_NOSTREAM


async def test_enforced_schema_goes_over_the_wire_and_not_into_the_prompt() -> None:
    connected = model(GOOD)
    assert await ask_json(connected, [HumanMessage("Plan it.")], Plan) == GOOD
    (call,) = calls(connected)
    assert [m.text for m in call.messages] == ["Plan it."]
    assert call.schema_name == "Plan"
    assert call.schema["required"] == ["steps", "goal"]
    assert call.response_format["json_schema"]["strict"] is True


@pytest.mark.parametrize("tells", [True, False])
async def test_log_probabilities_are_asked_of_a_server_that_tells_them(*, tells: bool) -> None:
    chat = ScriptedChatModel(script=[GOOD])
    able = Capabilities("native", json_schema=True, logprobs=tells)
    connected = ConnectedModel(ModelSpec("scripted", "plan"), chat, able)
    assert await ask_json_with_odds(connected, [HumanMessage("Plan it.")], Plan) == (GOOD, None)
    (call,) = calls(connected)
    assert bool(call.options.get("logprobs")) is tells
    assert call.schema_name == "Plan"


async def test_elsewhere_the_schema_is_in_the_prompt_and_json_is_found_in_the_reply() -> None:
    connected = model(f"Here it is:\n```json\n{GOOD.model_dump_json()}\n```", json_schema=False)
    prompt = [SystemMessage("Be short."), HumanMessage("Plan it.")]
    assert await ask_json(connected, prompt, Plan) == GOOD
    (call,) = calls(connected)
    assert call.response_format is None
    assert call.system_text.startswith("Be short.\n\nReply with one JSON object")
    assert '"minItems":1' in call.system_text
    assert len(prompt) == 2


async def test_what_is_wrong_is_shown_to_the_model() -> None:
    connected = model('{"steps": [], "goal": 1}', "no idea", GOOD)
    assert await ask_json(connected, [HumanMessage("Plan it.")], Plan) == GOOD
    first, second = (call.messages[-1].text for call in calls(connected)[1:])
    assert "steps: List should have at least 1 item" in first
    assert "goal: Input should be a valid string" in first
    assert "no JSON object was found" in second
    assert calls(connected)[2].messages[-2].text == "no idea"


async def test_after_every_repair_it_is_a_typed_error() -> None:
    connected = model(*["{}"] * 9)
    with pytest.raises(ModelOutputInvalid, match=r"valid Plan in 2 tries: steps: Field required") as caught:
        await ask_json(connected, [HumanMessage("Plan it.")], Plan, max_repairs=1)
    assert caught.value.fields["schema"] == "Plan"
    assert len(calls(connected)) == 2


async def test_a_cut_reply_says_that_it_was_cut() -> None:
    connected = model(Reply(text='{"steps": ["a"', finish_reason="length"), GOOD)
    await ask_json(connected, [HumanMessage("Plan it.")], Plan)
    assert "cut off at its longest length" in calls(connected)[1].messages[-1].text


async def test_errors_of_the_server_are_not_repaired() -> None:
    connected = model(Reply(fault="server"), GOOD)
    with pytest.raises(ModelUnavailable):
        await ask_json(connected, [HumanMessage("Plan it.")], Plan)
    assert len(calls(connected)) == 1


async def test_a_refusal_is_refused() -> None:
    from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
    from langchain_core.messages import AIMessage

    refusal = AIMessage("I will not.", additional_kwargs={"refusal": "I will not."})
    connected = ConnectedModel(
        ModelSpec("x", "y"), FakeMessagesListChatModel(responses=[refusal]), Capabilities("native", True)
    )
    with pytest.raises(ModelRefused, match="I will not"):
        await ask_json(connected, [HumanMessage("Plan it.")], Plan)


async def test_nothing_of_it_shows_up_in_langgraphs_message_stream() -> None:
    connected = scripted([GOOD, "The answer."])

    async def node(state: MessagesState) -> dict[str, list[AnyMessage]]:
        await ask_json(connected, state["messages"], Plan)
        return {"messages": [await connected.chat.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    texts: list[str] = []
    async for message, _ in graph.compile().astream(
        {"messages": [HumanMessage("hi")]}, stream_mode="messages"
    ):
        assert isinstance(message, AIMessageChunk)
        texts.append(message.text)
    assert "".join(texts) == "The answer."


async def test_the_callers_tags_are_kept() -> None:
    tags: list[str] = []

    from langchain_core.callbacks import AsyncCallbackHandler

    class Listen(AsyncCallbackHandler):
        async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            tags.extend(kwargs["tags"])

    await ask_json(model(GOOD), [HumanMessage("x")], Plan, config={"tags": ["mine"], "callbacks": [Listen()]})
    assert {"mine", "nostream"} <= set(tags)
