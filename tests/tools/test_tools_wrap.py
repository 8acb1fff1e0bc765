"""What every tool is wrapped in: the agent reads its errors, and bugs pass through."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from motet.errors import InvalidInput
from motet.tools.wrap import GivenTool, as_tool, cut


class Arguments(BaseModel):
    word: str = Field(description="A word")


def _tool(outcome: str | BaseException) -> BaseTool:
    async def speak(word: str) -> str:
        if isinstance(outcome, BaseException):
            raise outcome
        return f"{outcome} {word}"

    return as_tool(
        speak, name="speak", description="Speak.", arguments=Arguments, access="write", effect="once"
    )


async def _call(tool: BaseTool, **arguments: object) -> ToolMessage:
    return await tool.ainvoke({"type": "tool_call", "id": "call-1", "name": "speak", "args": arguments})


async def test_a_result_is_a_message_with_status_success() -> None:
    tool = _tool("hello")
    answer = await _call(tool, word="world")
    assert (answer.content, answer.status, answer.tool_call_id) == ("hello world", "success", "call-1")
    assert tool.metadata == {"effect": "once", "class": "write", "failure": "unknown"}


async def test_an_error_of_the_tree_is_a_message_with_status_error() -> None:
    answer = await _call(_tool(InvalidInput("The word is wrong.", word="x")), word="x")
    assert (answer.content, answer.status) == ("The word is wrong.", "error")


async def test_arguments_that_do_not_fit_are_named_with_what_the_tool_takes() -> None:
    answer = await _call(_tool("hello"), wort="x")
    assert (answer.content, answer.status) == (
        "speak was not called: word: Field required. It takes word.",
        "error",
    )


@pytest.mark.parametrize("bug", [ZeroDivisionError("bug"), asyncio.CancelledError()])
async def test_bugs_and_cancelling_pass_through(bug: BaseException) -> None:
    with pytest.raises(type(bug)):
        await _call(_tool(bug), word="x")


async def test_half_a_surrogate_pair_does_not_leave_the_tool() -> None:
    assert (await _call(_tool("\ud800"), word="x")).content == "? x"
    assert (await _call(_tool(InvalidInput("\ud800")), word="x")).content == "?"


def test_cut_keeps_what_fits() -> None:
    assert [cut("abcd", limit) for limit in (4, 3, 1)] == ["abcd", "ab…", "…"]


async def test_a_strangers_schema_may_use_any_name() -> None:
    async def call(values: dict[str, Any]) -> str:
        return str(sorted(values))

    names = ("self", "config", "callbacks", "run_manager", "values")
    tool = GivenTool(
        coroutine=call,
        name="t",
        description="T.",
        args_schema={"type": "object", "properties": {key: {"type": "string"} for key in names}},
    )
    assert await tool.ainvoke(dict.fromkeys((*names, "made_up"), "x")) == str(sorted([*names, "made_up"]))
