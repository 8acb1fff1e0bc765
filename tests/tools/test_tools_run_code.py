"""Programs in the sandbox: off unless enabled; without a sandbox nothing runs."""

import asyncio
import os
from pathlib import Path

import pytest

from motet.sandbox.box import Sandbox
from motet.settings import SandboxSettings, ToolSettings
from motet.tools.base import ToolContext
from motet.tools.making import build_tools

PROBLEM = asyncio.run(Sandbox(SandboxSettings()).problem())


def context(bwrap: str = "", enable: str = "shell python_full") -> ToolContext:
    return ToolContext(ToolSettings(enable=enable), sandbox=Sandbox(SandboxSettings(bwrap=bwrap)))


def test_they_are_off_unless_enabled() -> None:
    assert build_tools(context(enable=""), ["shell", "python_full"]) == []
    tools = build_tools(context(), ["shell", "python_full"])
    assert [(tool.metadata or {})["class"] for tool in tools] == ["exec", "exec"]


@pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox here: {PROBLEM}")
async def test_programs_run() -> None:
    shell, python = build_tools(context(), ["shell", "python_full"])
    assert await shell.ainvoke({"command": "echo 你好 | wc -c"}) == "7"
    assert await python.ainvoke({"code": "import statistics; print(statistics.mean([1, 2]))"}) == "1.5"
    assert "exit code 3" in await shell.ainvoke({"command": "echo out; exit 3"})


async def test_without_a_sandbox_nothing_runs(tmp_path: Path) -> None:
    for tool, argument in zip(
        build_tools(context(bwrap=str(tmp_path / "none")), ["shell", "python_full"]),
        ("command", "code"),
        strict=True,
    ):
        said = await tool.ainvoke({argument: f"touch {tmp_path}/canary"})
        assert "there is no sandbox here" in said
    assert not [name for name in os.listdir(tmp_path) if name == "canary"]  # noqa: PTH208
