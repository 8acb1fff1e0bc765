"""Python of its own: what it gives, and what it may not take."""

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
