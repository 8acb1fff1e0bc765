"""Python of its own: what it gives, and what it may not take."""

import asyncio

import pytest

from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.python import build

pytest.importorskip("pydantic_monty")


async def run(code: str) -> str:
    tool = build(ToolContext(ToolSettings()))
    assert tool is not None
    return await tool.ainvoke({"code": code})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 + 1", "2"),
        ("print('你好')\n[x * 2 for x in range(3)]", "你好\n[0, 2, 4]"),
        ("x = 1", "(nothing was printed)"),
    ],
)
async def test_what_a_program_gives(code: str, said: str) -> None:
    assert await run(code) == said


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd').read()",
        "import os\nos.environ['HOME']",
        "import subprocess\nsubprocess.run(['ls'])",
        "import socket\nsocket.socket()",
        "__import__('os').system('ls')",
        "().__class__.__bases__[0].__subclasses__()[0]",
        "x = 'a'\nwhile True: x += x",
        "def f(): return f()\nf()",
        "1 / 0",
        "this is no python",
    ],
)
async def test_what_a_program_may_not(code: str) -> None:
    said = await run(code)
    assert said.startswith("The program")
    assert "root:" not in said


async def test_calls_at_once_know_nothing_of_each_other() -> None:
    tool = build(ToolContext(ToolSettings()))
    assert tool is not None
    said = await asyncio.gather(*(tool.ainvoke({"code": f"x = {n}\nx * 2"}) for n in range(6)))
    assert said == ["0", "2", "4", "6", "8", "10"]
    assert "name 'x' is not defined" in await tool.ainvoke({"code": "x"})


def test_the_tool_works_in_one_event_loop_after_another() -> None:
    tool = build(ToolContext(ToolSettings()))
    assert tool is not None
    assert [asyncio.run(tool.ainvoke({"code": "6 * 7"})) for _ in range(2)] == ["42", "42"]
