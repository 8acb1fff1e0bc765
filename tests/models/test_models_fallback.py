"""Several models as one: the first that answers does, each asked in its own way. Real sockets."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from motet.errors import ModelOutputInvalid, ModelRefused, ModelUnavailable
from motet.models.roles import Models
from motet.models.scripted import Call, ToolCall
from motet.models.scripted_faults import FaultPlan
from motet.models.scripted_server import ScriptedServer
from motet.models.structured import ask_json
from motet.settings import Settings

DOWN = "http_503;times=0"


class Pet(BaseModel):
    name: str


@tool
def look(word: str) -> str:
    """Look a word up."""
    return word


def able(call: Call) -> Any:
    if "JSON" in call.user_text:
        return Pet(name="Rex")
    asks_for_tool = call.tools or call.schema or "Tools:" in call.system_text
    return ToolCall("look", {"word": "owl"}) if asks_for_tool else "Hello from the second."


async def test_the_second_is_asked_in_its_own_way(settings: Settings) -> None:
    plain = ScriptedServer(able, tools="refused", json_schema="refused")
    async with ScriptedServer(["never said"]) as first, plain as second:
        models = Models(settings.replace(models__retry_pause_s=0.001, models__max_retries=0))
        pair = f"a:scripted@{first.base_url}, b:scripted@{second.base_url}"
        model = await models.chat("deep", pair)
        first.faults = [FaultPlan.parse(DOWN)]
        assert model.capabilities.tool_method == "native"
        assert (await model.chat.ainvoke("hi")).text == "Hello from the second."
        reply = await model.chat.bind_tools([look], tool_choice="look").ainvoke("hi")
        assert [(call["name"], call["args"]) for call in reply.tool_calls] == [("look", {"word": "owl"})]
        assert await ask_json(model, [HumanMessage("A pet as JSON")], Pet) == Pet(name="Rex")
        said = await asyncio.to_thread(model.chat.invoke, "from code that does not await")
        assert said.text == "Hello from the second."
        await models.aclose()


async def test_when_all_fail_the_last_one_says_why(settings: Settings) -> None:
    async with ScriptedServer(able) as first, ScriptedServer(able) as second:
        models = Models(settings.replace(models__retry_pause_s=0.001, models__max_retries=0))
        model = await models.chat("deep", f"a:scripted@{first.base_url}, b:scripted@{second.base_url}")
        first.faults, second.faults = [FaultPlan.parse(DOWN)], [FaultPlan.parse("auth;times=0")]
        with pytest.raises(ModelRefused, match="b:scripted"):
            await model.chat.ainvoke("hi")
        await models.aclose()


@pytest.mark.parametrize(
    ("fault", "kind"), [("content_filter", ModelRefused), ("bad_arguments;times=0", ModelOutputInvalid)]
)
async def test_what_is_no_failure_of_the_server_stays_with_it(
    settings: Settings, fault: str, kind: type[Exception]
) -> None:
    async with ScriptedServer(able) as first, ScriptedServer(able) as second:
        models = Models(settings.replace(models__retry_pause_s=0.001))
        model = await models.chat("deep", f"a:scripted@{first.base_url}, b:scripted@{second.base_url}")
        first.faults = [FaultPlan.parse(fault)]
        with pytest.raises(kind):
            await model.chat.bind_tools([look]).ainvoke("hi")
        assert second.calls == []
        await models.aclose()


async def test_one_that_could_not_be_reached_is_left_alone_for_a_while(
    settings: Settings, unused_tcp_port: int
) -> None:
    async with ScriptedServer(able) as second:
        models = Models(settings)
        gone = f"gone:m@http://127.0.0.1:{unused_tcp_port}/v1"
        model = await models.chat("fast", f"{gone}, b:scripted@{second.base_url}")
        assert str(model.spec) == gone
        assert (await model.chat.ainvoke("hi")).text == "Hello from the second."
        with pytest.raises(ModelUnavailable):
            await models.chat("fast", f"{gone}, {gone.replace('gone', 'lost')}")
        await models.aclose()
