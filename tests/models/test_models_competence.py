"""The competence test: a good model passes it, and each skill that is missing is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import override

from motet.errors import ContextOverflow, ModelUnavailable
from motet.models.base import Capabilities, ConnectedModel, ModelSpec
from motet.models.competence import SkillResult, run_competence

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from motet.models.embedded import EmbeddedProvider

Answer = Callable[[list[BaseMessage]], AIMessage]


class Pupil(BaseChatModel):
    """Answers by a function."""

    answer: Answer

    @override
    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind(tools=tools)

    @override
    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.answer(messages))])

    @property
    @override
    def _llm_type(self) -> str:
        return "pupil"


def call(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"id": "1", "name": name, "args": arguments, "type": "tool_call"}])


PERSON = {"name": "Lena Novak", "age": 34, "languages": ["Czech", "German"]}
GOOD: dict[str, AIMessage] = {
    "planet": AIMessage("It is Jupiter."),
    "首都": AIMessage("北京。"),
    "Novak": AIMessage(json.dumps(PERSON)),
    "Oslo": call("get_weather", city="Oslo, Norway"),
    "乘以": call("calculate", expression="29*347"),
    "good night": AIMessage("Sleep well."),
    "temperature_c": AIMessage("19 °C"),
    "Birch": AIMessage("It is 412 m long [2]."),
    "什么名字": AIMessage("团子"),
}


def pupil(**wrong: AIMessage | Exception) -> ConnectedModel:
    """A model that answers everything well, less what is given."""
    answers: dict[str, AIMessage | Exception] = GOOD | wrong

    def answer(messages: list[BaseMessage]) -> AIMessage:
        asked = "\n".join(message.text for message in messages)
        (key,) = [key for key in answers if key in asked]
        assert isinstance(messages[-1], ToolMessage) == (key == "temperature_c")
        found = answers[key]
        if isinstance(found, Exception):
            raise found
        return found

    capabilities = Capabilities(tool_method="native", json_schema=True)
    return ConnectedModel(ModelSpec("test", "pupil"), Pupil(answer=answer), capabilities)


async def results(model: ConnectedModel) -> list[SkillResult]:
    return [result async for result in run_competence(model)]


async def test_a_good_model_passes_every_skill() -> None:
    found = await results(pupil())
    assert [result.passed for result in found] == [True] * 9
    assert {result.language for result in found} == {"en", "zh"}
    assert all(result.detail and result.duration_s >= 0 for result in found)


@pytest.mark.parametrize(
    ("key", "wrong", "skill", "said"),
    [
        ("planet", AIMessage("Saturn"), "plain answer", "no 'jupiter'"),
        ("首都", AIMessage("  "), "plain answer", "empty"),
        ("Novak", AIMessage(json.dumps(PERSON | {"age": 43})), "JSON by schema", "43"),
        ("Novak", AIMessage("She is 34."), "JSON by schema", ""),
        ("Oslo", call("calculate", expression="1"), "tool choice", "instead of get_weather"),
        ("Oslo", AIMessage("It is sunny."), "tool choice", "0 tool calls"),
        ("乘以", call("calculate", expression="347*92"), "tool choice", "347*92"),
        ("good night", call("get_weather", city="Oslo"), "no tool needed", "no tool is needed"),
        ("temperature_c", call("get_weather", city="Lima"), "answer from a tool's result", "again"),
        ("temperature_c", AIMessage("It is warm."), "answer from a tool's result", "no '19'"),
        ("Birch", AIMessage("It is 412 m long [1][2]."), "answer with citation", "cited 1, 2"),
        ("Birch", AIMessage("It is 412 m long."), "answer with citation", "cited nothing"),
        ("什么名字", AIMessage("我不知道"), "memory over turns", "团子"),
    ],
)
async def test_each_missing_skill_is_found(key: str, wrong: AIMessage, skill: str, said: str) -> None:
    found = await results(pupil(**{key: wrong}))
    (failed,) = [result for result in found if not result.passed]
    assert failed.skill == skill
    assert said in failed.detail
    assert "\n" not in failed.detail


async def test_an_error_of_one_prompt_fails_that_skill_alone() -> None:
    found = await results(pupil(planet=ContextOverflow("The prompt is too long.")))
    assert [result.passed for result in found] == [False] + [True] * 8
    assert found[0].detail == "The prompt is too long."


async def test_a_server_that_is_gone_ends_the_test() -> None:
    with pytest.raises(ModelUnavailable):
        await results(pupil(首都=ModelUnavailable("It is gone.")))


@pytest.mark.embedded
@pytest.mark.timeout(900)
async def test_the_embedded_model_has_most_skills(embedded_provider: EmbeddedProvider) -> None:
    model = await embedded_provider.connect(ModelSpec.parse("embedded"))
    found = await results(model)
    failed = [f"{result.skill} ({result.language}): {result.detail}" for result in found if not result.passed]
    assert len(failed) <= 1, failed
