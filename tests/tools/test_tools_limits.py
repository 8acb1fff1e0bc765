"""Limits on a run's calls: how many, how many at once, how long, and how much text; counted in the ledger."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from test_tools_policy_gullible import Rig

from motet.errors import SettingInvalid
from motet.settings import Settings, ToolSettings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.tools.ledger.keep import CallKeeper
from motet.tools.limits import ALL, CallLimits, read_limits

PURE = {"class": "read", "effect": "pure", "trust": "trusted"}


@pytest.fixture
def rig(settings: Settings) -> Iterator[Rig]:
    database = Database(settings.storage)
    prepare(database, settings.storage)
    yield Rig(database, "look up a b c d")
    database.close()


class Busy:
    """Tools that note how many of their calls run at once."""

    def __init__(self) -> None:
        self.now = self.most = self.calls = 0
        self.go = asyncio.Event()

    def tool(self, name: str = "look", **metadata: Any) -> BaseTool:
        async def look(what: str) -> str:
            """Look something up."""
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                if what == "wait":
                    await self.go.wait()
                else:
                    await asyncio.sleep(0)
            finally:
                self.now -= 1
            return what * 10

        return StructuredTool.from_function(coroutine=look, name=name, metadata={**PURE, **metadata})


async def call(
    rig: Rig, tool: BaseTool, what: str, limits: CallLimits, keeper: CallKeeper | None = None
) -> ToolMessage:
    kept = keeper or keeper_of(rig, limits)
    config: Any = {"configurable": {"checkpoint_ns": f"n:{what}"}}
    asked = {"name": tool.name, "args": {"what": what}, "id": what, "type": "tool_call"}

    async def execute(given: Any) -> Any:
        return await tool.ainvoke({**asked, "args": given})

    return await kept.keep(tool, asked, config, execute)


def keeper_of(rig: Rig, limits: CallLimits) -> CallKeeper:
    config = rig.config(rig.guard(limits=limits))
    return config["configurable"]["motet_call_keeper"]


async def test_a_run_may_make_so_many_calls_and_a_repeated_one_is_none(rig: Rig) -> None:
    busy, limits = Busy(), CallLimits({ALL: 3, "look": 2})
    look, other = busy.tool(), busy.tool("other")
    assert (await call(rig, look, "a", limits)).content == "a" * 10
    assert (await call(rig, look, "b", limits)).content == "b" * 10
    refused = await call(rig, look, "c", limits)
    assert refused.status == "error"
    assert "look was called 2 times" in str(refused.content)
    assert (await call(rig, look, "a", limits)).content == "a" * 10  # another process: it was made already
    assert (await call(rig, other, "a", limits)).status == "success"
    assert "3 tool calls that it may" in str((await call(rig, other, "b", limits)).content)
    assert busy.calls == 3


async def test_so_many_calls_are_made_at_once(rig: Rig) -> None:
    busy, limits = Busy(), CallLimits(parallel=2)
    keeper = keeper_of(rig, limits)
    look = busy.tool()
    await asyncio.gather(*(call(rig, look, str(n), limits, keeper) for n in range(6)))
    assert (busy.calls, busy.most) == (6, 2)


async def test_a_call_inside_of_another_needs_no_place(rig: Rig) -> None:
    limits = CallLimits(parallel=1)
    keeper, busy = keeper_of(rig, limits), Busy()

    async def outer(what: str) -> str:
        """Ask another tool."""
        return str((await call(rig, busy.tool("inner"), what, limits, keeper)).content)

    tool = StructuredTool.from_function(coroutine=outer, name="outer", metadata=PURE)
    async with asyncio.timeout(20):
        assert (await call(rig, tool, "a", limits, keeper)).content == "a" * 10


async def test_a_tool_may_say_how_long_it_takes(rig: Rig) -> None:
    busy, limits = Busy(), CallLimits(timeout_s=30)
    told = await call(rig, busy.tool(timeout_s=0.05), "wait", limits)
    assert "did not end within 0.05 s" in str(told.content)


async def test_a_call_that_does_not_end_is_ended(rig: Rig) -> None:
    busy, limits = Busy(), CallLimits(timeout_s=0.05)
    told = await call(rig, busy.tool(effect="once"), "wait", limits)
    assert told.status == "error"
    assert "did not end within 0.05 s" in str(told.content)
    assert busy.now == 0
    assert rig.statuses() == ["done"]


async def test_a_long_result_is_cut(rig: Rig) -> None:
    told = await call(rig, Busy().tool(), "中", CallLimits(output_chars=4))
    assert told.content == "中中中中… (6 more characters)"


def test_limits_are_read_from_the_settings() -> None:
    limits = read_limits(
        ToolSettings(calls="100, web_search=10", parallel=3, timeout_s=20, max_output_chars=500)
    )
    assert limits == CallLimits({ALL: 100, "web_search": 10}, 3, 25.0, 1500)
    with pytest.raises(SettingInvalid, match="web_search=10"):
        read_limits(ToolSettings(calls="many"))
