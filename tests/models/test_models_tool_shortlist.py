"""Of many tools those stay that the question is about, in their order."""

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from motet.models.schema_tools import SchemaToolChatModel
from motet.models.scripted import ScriptedChatModel
from motet.models.tool_shortlist import shortlist, words


def a_tool(name: str, description: str, **arguments: str) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": text} for key, text in arguments.items()}
    function = {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties},
    }
    return {"type": "function", "function": function}


TOOLS = [
    *(a_tool(f"archive_{n}", f"Open drawer {n} of the archive.") for n in range(20)),
    a_tool("getWeather", "Current weather and forecast of a city.", city="Name of the city"),
    a_tool("查询库存", "查询仓库里商品的库存数量。", 商品="商品的名称"),
    a_tool("send_mail", "Send an e-mail to a person.", to="Address of the person"),
]


def names(question: str, limit: int = 3, before: Any = ()) -> list[str]:
    found = shortlist(TOOLS, [*before, HumanMessage(question)], limit=limit)
    return [tool["function"]["name"] for tool in found]


def test_what_is_asked_about_stays_in_order() -> None:
    assert "getWeather" in names("What will the weather be like in the cities of Norway?")
    assert "查询库存" in names("仓库里台灯的库存还有多少？")
    assert names("Open drawer 7 of the archive, then send a mail", limit=2) == ["archive_7", "send_mail"]


def test_few_tools_and_questions_that_tell_nothing_leave_all() -> None:
    assert len(names("weather", limit=len(TOOLS))) == len(TOOLS)
    assert len(names("你好吗")) == len(TOOLS)


def test_a_tool_that_was_called_stays() -> None:
    call = {"name": "archive_3", "args": {}, "id": "1"}
    before = [HumanMessage("go"), AIMessage("", tool_calls=[call]), ToolMessage("done", tool_call_id="1")]
    assert "archive_3" in names("And the weather in Oslo?", before=before)


def test_words() -> None:
    assert words("getCities of cities_list") == {"get": 1, "cit": 2, "list": 1}
    assert words("库存量") == {"库存": 1, "存量": 1}
    assert words("What is it, 的?") == {}


CHATTY = [
    a_tool("notes", "What is it that we have, and where would you like my help with the one that is yours?"),
    a_tool("笔记", "我们可以怎么样记下你们的什么"),
    *(a_tool(f"drawer_{n}", f"Open drawer {n}.") for n in range(10)),
    a_tool("order_status", "Status by number."),
    a_tool("订单", "订单状态查询"),
]
"""Two descriptions have the function words that no other has: rare words, and they tell nothing."""


def test_function_words_tell_nothing_however_rare_they_are() -> None:
    def first(question: str) -> list[str]:
        return [tool["function"]["name"] for tool in shortlist(CHATTY, [HumanMessage(question)], limit=1)]

    assert first("Where is it, the order that is yours, and would you help me with my status?") == [
        "order_status"
    ]
    assert first("我们可以怎么样看我们的订单") == ["订单"]
    assert len(first("What is it that you have?")) == len(CHATTY)


async def test_a_model_that_is_asked_by_schema_is_shown_the_short_list() -> None:
    inner = ScriptedChatModel(script=['{"tool": "getWeather", "arguments": {"city": "Oslo"}}'])
    model = SchemaToolChatModel(inner=inner)
    reply = await model.bind_tools(TOOLS).ainvoke("What is the weather in Oslo?")
    assert [call["name"] for call in reply.tool_calls] == ["getWeather"]
    shown = inner.calls[0].system_text
    assert "getWeather(" in shown
    assert shown.count("\n- ") == 12 + 1  # and how to answer without one
