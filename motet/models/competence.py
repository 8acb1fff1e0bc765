"""A small test of what a model can do for agents: nine short prompts, English and Chinese, checked by rules.

What does not live here: connecting the model. It says whether a model is fit for use, not how good it is: the
prompts are easy, and one run of each proves little.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field

from motet.errors import ModelRefused, ModelUnavailable, RunError
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from motet.models.base import ConnectedModel

PROBE_TIMEOUT_S = 300.0
"""Longest time of one prompt; one that takes longer has failed."""
_SHOWN_CHARS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillResult:
    """How one prompt went."""

    skill: str
    """What was tried, `tool choice`, …"""
    language: str
    """`en` or `zh`."""
    passed: bool
    detail: str
    """What the model did, in one line, and what was expected when that is not what it did."""
    duration_s: float


class _Wrong(Exception):  # a verdict, not an error
    """The model did something else than it should; the text says what."""


Probe = Callable[["ConnectedModel"], Awaitable[str]]
"""Asks one thing and returns what the model did; raises `_Wrong` when that is wrong."""


async def run_competence(model: ConnectedModel) -> AsyncIterator[SkillResult]:
    """Yield the result of each prompt as it ends. Takes about 20 s with the embedded model on two cores.

    Raises:
        ModelUnavailable: The model's server does not answer.
        ModelRefused: It says no: nothing can be learned from it.
    """
    for skill, language, probe in _PROBES:
        started = time.monotonic()
        passed, detail = await _try(probe, model)
        yield SkillResult(
            skill=skill,
            language=language,
            passed=passed,
            detail=detail,
            duration_s=time.monotonic() - started,
        )


async def _try(probe: Probe, model: ConnectedModel) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return True, _line(await probe(model))
    except _Wrong as wrong:
        return False, _line(str(wrong))
    except TimeoutError:
        return False, f"no answer in {PROBE_TIMEOUT_S:g} s"
    except (ModelUnavailable, ModelRefused):
        raise
    except RunError as error:
        return False, _line(error.message)


async def _answer_en(model: ConnectedModel) -> str:
    text = await _ask(model, [HumanMessage("Which planet is the largest of the solar system?")])
    return _expect(text, "jupiter")


async def _answer_zh(model: ConnectedModel) -> str:
    text = await _ask(model, [HumanMessage("中国的首都是哪座城市？")])
    return _expect(text, "北京")


class _Person(BaseModel):
    name: str = Field(description="the person's name")
    age: int = Field(description="age in years")
    languages: list[str] = Field(description="languages that the person speaks")


async def _json_en(model: ConnectedModel) -> str:
    asked = (
        "Extract the person's name, age in years and languages as JSON with the keys name, age, languages.\n\n"
        "Text: Lena Novak turned 34 last May. She speaks Czech and German."
    )
    person = await ask_json(model, [HumanMessage(asked)], _Person)
    spoken = {word.lower() for word in person.languages}
    if "lena" not in person.name.lower() or person.age != 34 or not {"czech", "german"} <= spoken:
        raise _Wrong(f"wrong values: {person.model_dump_json()}")
    return person.model_dump_json()


async def _tool_en(model: ConnectedModel) -> str:
    call = await _call(model, [HumanMessage("What is the weather like in Oslo right now?")])
    if call["name"] != "get_weather" or "oslo" not in str(call["args"].get("city", "")).lower():
        raise _Wrong(f"called {_shown(call)} instead of get_weather for Oslo")
    return _shown(call)


async def _tool_zh(model: ConnectedModel) -> str:
    call = await _call(model, [HumanMessage("请帮我算一下 347 乘以 29 等于多少。")])
    numbers = re.findall(r"\d+", str(call["args"].get("expression", "")))
    if call["name"] != "calculate" or sorted(numbers) != ["29", "347"]:
        raise _Wrong(f"called {_shown(call)} instead of calculate with 347 and 29")
    return _shown(call)


async def _no_tool_en(model: ConnectedModel) -> str:
    reply = await model.chat.bind_tools(_TOOLS).ainvoke(
        [SystemMessage(_TOOL_SYSTEM), HumanMessage("Thanks for your help, good night!")]
    )
    if reply.tool_calls:
        raise _Wrong(f"called {_shown(reply.tool_calls[0])} where no tool is needed")
    return _expect(reply.text, "")


async def _result_en(model: ConnectedModel) -> str:
    call = {"id": "call_1", "name": "get_weather", "args": {"city": "Lima"}, "type": "tool_call"}
    reply = await model.chat.bind_tools(_TOOLS).ainvoke(
        [
            SystemMessage(_TOOL_SYSTEM),
            HumanMessage("How warm is it in Lima?"),
            AIMessage("", tool_calls=[call]),
            ToolMessage('{"city": "Lima", "temperature_c": 19, "sky": "cloudy"}', tool_call_id="call_1"),
        ]
    )
    if reply.tool_calls:
        raise _Wrong(f"called {_shown(reply.tool_calls[0])} again instead of answering")
    return _expect(reply.text, "19")


async def _citation_en(model: ConnectedModel) -> str:
    system = (
        "Answer the question from the numbered passages only. After every statement write the number of the "
        "passage that it comes from in square brackets, like [7]. Cite nothing else."
    )
    asked = (
        "[1] The Alder bridge was opened in 1931 and carries two lanes.\n"
        "[2] The Birch bridge is 412 metres long and was painted green in 2004.\n"
        "[3] The Cedar bridge is closed to lorries.\n\n"
        "Question: How long is the Birch bridge?"
    )
    text = await _ask(model, [SystemMessage(system), HumanMessage(asked)])
    cited = set(re.findall(r"\[(\d+)\]", text))
    if cited != {"2"}:
        raise _Wrong(f"cited {', '.join(sorted(cited)) or 'nothing'} instead of 2: {text}")
    return _expect(text, "412")


async def _memory_zh(model: ConnectedModel) -> str:
    turns = [
        HumanMessage("你好，我养了一只猫，名字叫团子。"),
        AIMessage("你好！团子真是个可爱的名字。"),
        HumanMessage("今天杭州下雨了。"),
        AIMessage("下雨天记得带伞。"),
        HumanMessage("我的猫叫什么名字？"),
    ]
    return _expect(await _ask(model, turns), "团子")


_PROBES: tuple[tuple[str, str, Probe], ...] = (
    ("plain answer", "en", _answer_en),
    ("plain answer", "zh", _answer_zh),
    ("JSON by schema", "en", _json_en),
    ("tool choice", "en", _tool_en),
    ("tool choice", "zh", _tool_zh),
    ("no tool needed", "en", _no_tool_en),
    ("answer from a tool's result", "en", _result_en),
    ("answer with citation", "en", _citation_en),
    ("memory over turns", "zh", _memory_zh),
)

_TOOL_SYSTEM = (
    "You are a helpful assistant. Use a tool when it is needed, and answer directly when it is not."
)

_TOOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "get_weather",
        "description": "Get the current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city."}},
            "required": ["city"],
        },
    },
    {
        "name": "calculate",
        "description": "Calculate the value of an arithmetic expression.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string", "description": "For example 2 * (3 + 4)."}},
            "required": ["expression"],
        },
    },
)


async def _ask(model: ConnectedModel, messages: Sequence[BaseMessage]) -> str:
    return (await model.chat.ainvoke(list(messages))).text


async def _call(model: ConnectedModel, messages: Sequence[BaseMessage]) -> dict[str, Any]:
    """Return the one tool call that the model makes."""
    reply = await model.chat.bind_tools(_TOOLS).ainvoke([SystemMessage(_TOOL_SYSTEM), *messages])
    if len(reply.tool_calls) != 1:
        raise _Wrong(f"made {len(reply.tool_calls)} tool calls instead of one: {reply.text}")
    return dict(reply.tool_calls[0])


def _expect(text: str, word: str) -> str:
    """Return the text when it has the word, in any case."""
    if not text.strip():
        raise _Wrong("an empty answer")
    if word not in text.lower():
        raise _Wrong(f"no '{word}' in the answer: {text}")
    return text


def _shown(call: Any) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
    return f"{call['name']}({arguments})"


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_CHARS else f"{flat[:_SHOWN_CHARS]}…"
