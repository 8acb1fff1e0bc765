"""A model without tool calls behaves like one that has them, in any LangChain or LangGraph code."""

import asyncio
import json
from typing import Any, Literal

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from motet.errors import InvalidInput, ModelOutputInvalid
from motet.models.base import ConnectedModel, ModelSpec
from motet.models.embedded import EmbeddedProvider
from motet.models.schema_tools import SchemaToolChatModel
from motet.models.scripted import Call, Reply, ScriptedChatModel


@tool
def calculator(expression: str) -> str:
    """Work out an arithmetic expression."""
    return {"2+2": "4"}.get(expression, "?")


@tool
def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Say how the weather is."""
    return f"sunny, 20 {unit} in {city}"


TOOLS = [calculator, weather]
CALL = '{"tool": "calculator", "arguments": {"expression": "2+2"}}'
ANSWER = '{"tool": "none", "answer": "It is four."}'


def model(*replies: Any, method: Literal["schema", "prompt"] = "schema") -> SchemaToolChatModel:
    return SchemaToolChatModel(inner=ScriptedChatModel(script=list(replies)), method=method)


def asked(chat: SchemaToolChatModel, number: int = -1) -> Call:
    assert isinstance(chat.inner, ScriptedChatModel)
    return chat.inner.calls[number]


def branches(call: Call) -> list[str]:
    schema = call.schema
    return [str(one["properties"]["tool"]["const"]) for one in schema.get("anyOf", [schema])]


async def gather(stream: Any) -> tuple[AIMessageChunk, list[str]]:
    total: AIMessageChunk | None = None
    texts: list[str] = []
    async for chunk in stream:
        texts.append(chunk.text)
        total = chunk if total is None else total + chunk
    assert total is not None
    return total, [text for text in texts if text]


async def test_a_call_comes_back_as_an_ordinary_tool_call() -> None:
    chat = model(CALL)
    reply = await chat.bind_tools(TOOLS).ainvoke("What is 2+2?")
    assert reply.text == ""
    (call,) = reply.tool_calls
    assert (call["name"], call["args"]) == ("calculator", {"expression": "2+2"})
    assert call["id"]
    assert reply.response_metadata["finish_reason"] == "tool_calls"
    assert reply.response_metadata["model_name"] == "scripted"
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] > 0


async def test_one_enforced_union_is_asked_for() -> None:
    chat = model(CALL)
    await chat.bind_tools(TOOLS).ainvoke("hi")
    call = asked(chat)
    assert call.tools == []
    assert call.response_format["json_schema"]["strict"] is True
    assert branches(call) == ["calculator", "weather", "none"]
    arguments = call.schema["anyOf"][1]["properties"]["arguments"]
    assert arguments["additionalProperties"] is False
    assert arguments["required"] == ["city"]
    assert all(branch["additionalProperties"] is False for branch in call.schema["anyOf"])


async def test_the_stable_part_of_the_prompt_comes_first_and_stays_the_same() -> None:
    chat = model(ANSWER, ANSWER)
    bound = chat.bind_tools(TOOLS)
    await bound.ainvoke([SystemMessage("You are Ada."), HumanMessage("hi")])
    await bound.ainvoke([SystemMessage("You are Bob."), HumanMessage("2+2?")])
    first, second = (asked(chat, n).messages[0].text for n in (0, 1))
    stable = first.removesuffix("You are Ada.")
    assert stable == second.removesuffix("You are Bob.")
    assert "- weather(city: string, unit?: " in stable
    assert "Say how the weather is." in stable


async def test_a_chinese_request_is_asked_in_chinese() -> None:
    chat = model(ANSWER, ANSWER)
    await chat.bind_tools(TOOLS).ainvoke("帮我算 2+2，please")
    assert "你可以使用工具" in asked(chat).system_text
    await chat.bind_tools(TOOLS).ainvoke("What does 你好 mean?")
    assert "You can use tools" in asked(chat).system_text


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ["calculator", "weather", "none"]),
        ("any", ["calculator", "weather"]),
        ("required", ["calculator", "weather"]),
        (True, ["calculator", "weather"]),
        ("calculator", ["calculator"]),
        ({"type": "function", "function": {"name": "calculator"}}, ["calculator"]),
    ],
)
async def test_tool_choice_narrows_the_union(choice: Any, expected: list[str]) -> None:
    chat = model(CALL)
    reply = await chat.bind_tools(TOOLS, tool_choice=choice).ainvoke("2+2?")
    assert branches(asked(chat)) == expected
    assert reply.tool_calls


async def test_tool_choice_none_is_a_plain_call() -> None:
    chat = model("Hello.")
    reply = await chat.bind_tools(TOOLS, tool_choice="none").ainvoke("hi")
    assert reply.text == "Hello."
    assert asked(chat).response_format is None


def test_a_tool_choice_that_names_no_tool_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'calculator'"):
        model().bind_tools(TOOLS, tool_choice="calculater")


def test_a_tool_cannot_be_called_none() -> None:
    with pytest.raises(InvalidInput, match="cannot be called 'none'"):
        model().bind_tools([{"name": "none", "description": "Nothing.", "parameters": {}}])


def test_a_servers_own_tool_is_refused() -> None:
    with pytest.raises(InvalidInput, match="web_search"):
        model().bind_tools([{"type": "web_search"}])


async def test_an_answer_streams_as_it_is_written() -> None:
    chat = model('{"tool": "none", "answer": "Gr\\u00fc\\u00dfe \\ud83d\\ude00\\nzwei"}')
    total, texts = await gather(chat.bind_tools(TOOLS).astream("hi"))
    assert "".join(texts) == total.text == "Grüße 😀\nzwei"
    assert len(texts) > 2
    assert total.usage_metadata is not None
    assert total.response_metadata["finish_reason"] == "stop"


async def test_a_streamed_call_is_one_whole_call() -> None:
    chunks: list[Any] = [chunk async for chunk in model(CALL).bind_tools(TOOLS).astream("2+2?")]
    assert len(chunks) <= 2, "pieces that show nothing are not passed on"
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert total.text == ""
    assert [(c["name"], c["args"]) for c in total.tool_calls] == [("calculator", {"expression": "2+2"})]


async def test_calls_and_results_are_shown_in_the_form_that_the_model_writes() -> None:
    chat = model(ANSWER)
    history: list[BaseMessage] = [
        HumanMessage("hello"),
        AIMessage("Hi!"),
        HumanMessage("2+2, and the weather in Rome?"),
        AIMessage(
            "",
            tool_calls=[
                {"name": "calculator", "args": {"expression": "2+2"}, "id": "a"},
                {"name": "weather", "args": {"city": "Rome"}, "id": "b"},
            ],
        ),
        ToolMessage("4", tool_call_id="a"),
        ToolMessage("no network", tool_call_id="b", status="error"),
    ]
    reply = await chat.bind_tools(TOOLS).ainvoke(history)
    assert reply.text == "It is four."
    turns = asked(chat).messages[1:]
    assert [turn.type for turn in turns] == ["human", "ai", "human", "ai", "human"]
    assert json.loads(turns[1].text) == {"tool": "none", "answer": "Hi!"}
    assert [json.loads(line)["tool"] for line in turns[3].text.splitlines()] == ["calculator", "weather"]
    assert turns[4].text == "Result of calculator: 4\nweather failed: no network"


async def test_without_tools_earlier_calls_are_plain_text() -> None:
    chat = model("Four.")
    call = AIMessage("", tool_calls=[{"name": "calculator", "args": {"expression": "2+2"}, "id": "a"}])
    reply = await chat.ainvoke(
        [HumanMessage("2+2?"), call, ToolMessage("4", tool_call_id="a"), AIMessage("4!")]
    )
    assert reply.text == "Four."
    sent = asked(chat)
    assert sent.response_format is None
    assert [m.type for m in sent.messages] == ["human", "ai", "human", "ai"]
    assert not any(isinstance(m, AIMessage) and m.tool_calls for m in sent.messages)
    assert sent.messages[3].text == "4!"


async def test_an_unfit_call_is_repaired_and_its_tokens_are_counted() -> None:
    chat = model('{"tool": "weather", "arguments": {"city": "Rome", "unit": "K"}}', CALL)
    reply = await chat.bind_tools(TOOLS).ainvoke("weather?")
    assert reply.tool_calls[0]["name"] == "calculator"
    repair = asked(chat).messages[-1].text
    assert "arguments of weather: unit: 'K' is not one of ['C', 'F']" in repair
    assert asked(chat).messages[-2].text == '{"tool": "weather", "arguments": {"city": "Rome", "unit": "K"}}'
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] > 20
    assert reply.response_metadata["model_name"] == "scripted"


async def test_repairs_end_in_a_typed_error() -> None:
    chat = model(*['{"tool": "weather", "arguments": {}}'] * 5)
    with pytest.raises(ModelOutputInvalid, match="'city' is a required property"):
        await chat.bind_tools(TOOLS).ainvoke("weather?")
    assert isinstance(chat.inner, ScriptedChatModel)
    assert len(chat.inner.calls) == 3


async def test_a_call_that_was_cut_off_is_not_carried_out() -> None:
    chat = model(*[Reply(text=CALL, finish_reason="length")] * 3)
    with pytest.raises(ModelOutputInvalid, match="cut off"):
        await chat.bind_tools(TOOLS).ainvoke("2+2?")


async def test_an_answer_that_was_cut_off_says_so() -> None:
    chat = model(Reply(text='{"tool": "none", "answer": "It is fo', finish_reason="length"))
    reply = await chat.bind_tools(TOOLS).ainvoke("2+2?")
    assert reply.text == "It is fo"
    assert reply.response_metadata["finish_reason"] == "length"


async def test_an_empty_answer_is_asked_again() -> None:
    reply = await model('{"tool": "none", "answer": ""}', ANSWER).bind_tools(TOOLS).ainvoke("hi")
    assert reply.text == "It is four."


async def test_by_prompt_alone_prose_is_an_answer_and_fenced_json_a_call() -> None:
    chat = model("Hello there.", f"Sure:\n```json\n{CALL}\n```", method="prompt")
    bound = chat.bind_tools(TOOLS)
    assert (await bound.ainvoke("hi")).text == "Hello there."
    assert (await bound.ainvoke("2+2?")).tool_calls[0]["args"] == {"expression": "2+2"}
    assert asked(chat).response_format is None


async def test_by_prompt_alone_a_wrong_tool_is_repaired() -> None:
    chat = model('{"tool": "calc", "arguments": {"expression": "2+2"}}', CALL, method="prompt")
    reply = await chat.bind_tools(TOOLS).ainvoke("2+2?")
    assert reply.tool_calls[0]["name"] == "calculator"
    assert "there is no tool 'calc'; the tools are calculator, weather, none" in asked(chat).messages[-1].text


@pytest.mark.parametrize("name", ["calculator(expression: string)", "calculator()"])
async def test_by_prompt_alone_a_tool_may_be_named_as_it_was_shown(name: str) -> None:
    chat = model(json.dumps({"tool": name, "arguments": {"expression": "2+2"}}), method="prompt")
    reply = await chat.bind_tools(TOOLS).ainvoke("2+2?")
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [
        ("calculator", {"expression": "2+2"})
    ]


async def test_by_prompt_alone_no_tool_may_be_named_as_it_was_shown() -> None:
    chat = model('{"tool": "none(answer: string)", "answer": "四"}', method="prompt")
    assert (await chat.bind_tools(TOOLS).ainvoke("2+2?")).text == "四"


class City(BaseModel):
    name: str
    people: int


async def test_structured_output() -> None:
    chat = model('{"tool": "City", "arguments": {"name": "Rome", "people": 2800000}}')
    assert await chat.with_structured_output(City).ainvoke("Rome?") == City(name="Rome", people=2_800_000)
    assert branches(asked(chat)) == ["City"]


async def test_a_response_format_beside_tools_becomes_the_form_of_the_answer() -> None:
    chat = model('{"tool": "none", "answer": {"name": "Rome", "people": 3}}')
    bound = chat.bind_tools(TOOLS, response_format=City)
    assert City.model_validate_json((await bound.ainvoke("Rome?")).text) == City(name="Rome", people=3)
    assert asked(chat).schema["anyOf"][2]["properties"]["answer"]["properties"].keys() == {"name", "people"}


def test_sync_code_gets_the_same() -> None:
    assert model(CALL).bind_tools(TOOLS).invoke("2+2?").tool_calls[0]["name"] == "calculator"
    texts = [chunk.text for chunk in model(ANSWER).bind_tools(TOOLS).stream("2+2?")]
    assert "".join(texts) == "It is four."
    assert len(texts) > 2


def agent(chat: SchemaToolChatModel) -> Any:
    async def think(state: MessagesState) -> dict[str, list[AnyMessage]]:
        return {"messages": [await chat.bind_tools(TOOLS).ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(TOOLS))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    return graph.compile()


async def test_a_langgraph_agent_calls_reads_and_answers() -> None:
    chat = model(CALL, ANSWER)
    state = await agent(chat).ainvoke({"messages": [HumanMessage("2+2?")]})
    assert [m.type for m in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][2].content == "4"
    assert state["messages"][3].text == "It is four."
    assert asked(chat).messages[-1].text == "Result of calculator: 4"


async def test_langgraphs_message_stream_shows_the_answer_and_no_json() -> None:
    chunks: list[AIMessageChunk] = []
    async for message, _ in agent(model(CALL, ANSWER)).astream(
        {"messages": [HumanMessage("2+2?")]}, stream_mode="messages"
    ):
        if isinstance(message, AIMessageChunk):
            chunks.append(message)
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(texts) == "It is four."
    assert len(texts) > 2
    assert len({chunk.id for chunk in chunks}) == 2


async def test_cancelling_mid_stream_ends_the_inner_stream() -> None:
    chat = model(Reply(text='{"tool": "none", "answer": "' + "word " * 50 + '"}', piece_delay_s=0.02))
    begun = asyncio.Event()

    async def listen() -> None:
        async for _ in chat.bind_tools(TOOLS).astream("talk"):
            begun.set()

    task = asyncio.create_task(listen())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@tool
def search_documents(query: str) -> str:
    """Search the user's own documents for passages."""
    return query


@tool
def now(timezone: str = "UTC") -> str:
    """Current date and time."""
    return timezone


REAL_TOOLS = [calculator, search_documents, now]


@pytest.fixture
async def embedded_model(embedded_provider: EmbeddedProvider) -> ConnectedModel:
    return await embedded_provider.connect(ModelSpec("embedded"))


@pytest.mark.embedded
class TestWithTheEmbeddedModel:
    """A real model of 1.5 billion parameters chooses, abstains and answers from results, in both languages."""

    @pytest.mark.parametrize(
        ("prompt", "name", "argument"),
        [
            ("What is 17% of 2,340?", "calculator", "17"),
            ("Look in my notes: when does the lease end?", "search_documents", "lease"),
            ("帮我算一下 128 乘以 46 再减去 300", "calculator", "46"),
            ("根据我上传的合同，付款期限是多少天？", "search_documents", "付款"),
        ],
    )
    async def test_it_chooses(
        self, embedded_model: ConnectedModel, prompt: str, name: str, argument: str
    ) -> None:
        reply = await embedded_model.chat.bind_tools(REAL_TOOLS).ainvoke(prompt)
        assert [call["name"] for call in reply.tool_calls] == [name]
        assert argument in str(reply.tool_calls[0]["args"])

    @pytest.mark.parametrize("prompt", ["Hi there!", "你好，你是谁？"])
    async def test_it_abstains(self, embedded_model: ConnectedModel, prompt: str) -> None:
        total, texts = await gather(embedded_model.chat.bind_tools(REAL_TOOLS).astream(prompt))
        assert total.tool_calls == []
        assert len(texts) > 1
        assert "{" not in total.text

    @pytest.mark.parametrize(
        ("prompt", "result", "expected"),
        [
            (
                "When does the lease end, by my documents?",
                "[1] The lease of the office ends on 31 March 2027.",
                "2027",
            ),
            ("我的文档里说保修期多长？", "[1] 本产品保修期为三年，自购买之日起计算。", "三年"),
        ],
    )
    async def test_it_answers_from_a_result(
        self, embedded_model: ConnectedModel, prompt: str, result: str, expected: str
    ) -> None:
        call = AIMessage("", tool_calls=[{"name": "search_documents", "args": {"query": prompt}, "id": "1"}])
        history: list[BaseMessage] = [HumanMessage(prompt), call, ToolMessage(result, tool_call_id="1")]
        reply = await embedded_model.chat.bind_tools(REAL_TOOLS).ainvoke(history)
        assert reply.tool_calls == []
        assert expected in reply.text
