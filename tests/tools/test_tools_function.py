"""Any Python function is a tool in one line: of the settings, an entry point or Python."""

import asyncio
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as langchain_tool

from motet import tool
from motet.errors import InvalidInput, NotFound, SettingInvalid
from motet.settings import Settings, ToolSettings
from motet.tools import base
from motet.tools.base import ToolContext
from motet.tools.function import function_tool, to_tool
from motet.tools.making import build_tools


@tool(access="read", effect="pure", trusted=True)
def stock(article: str, place: Literal["shop", "store"] = "shop") -> dict[str, Any]:
    """Say how many pieces there are.

    Args:
        article: Its number, 编号.
        place: Where to look.
    """
    if article == "none":
        raise KeyError(article)
    return {"article": article, "pieces": 3, "place": place, "库存": True}


def plain(number: int) -> int:
    """Double a number."""
    return number * 2


@langchain_tool
def foreign(text: str) -> str:
    """Say it back."""
    return text


@tool
async def slow(seconds: float = 30.0) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return "done"


def built(context: ToolContext) -> BaseTool:
    """Build a tool as the table's own do."""
    return function_tool(plain, name="built", description=f"Within {context.settings.timeout_s:g} s.")


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    module = types.ModuleType("shop_tools")
    module.__dict__.update(stock=stock, plain=plain, foreign=foreign, slow=slow, built=built, number=3)
    sys.modules["shop_tools"] = module
    yield
    del sys.modules["shop_tools"]


def of_settings(**functions: Any) -> dict[str, BaseTool]:
    context = ToolContext(ToolSettings(web_search=False), functions=functions)
    return {made.name: made for made in build_tools(context, list(functions))}


async def test_the_schema_comes_from_types_and_docstring() -> None:
    made = function_tool(stock)
    assert made.name == "stock"
    assert made.description == "Say how many pieces there are."
    assert made.args["article"] == {"description": "Its number, 编号.", "title": "Article", "type": "string"}
    assert made.args["place"]["enum"] == ["shop", "store"]
    assert (
        await made.ainvoke({"article": "a1"})
        == '{"article": "a1", "pieces": 3, "place": "shop", "库存": true}'
    )
    assert await made.ainvoke({"article": "none"}) == "stock failed: KeyError: 'none'."
    assert "article" in await made.ainvoke({})
    assert made.metadata == {"class": "read", "effect": "pure", "trust": "trusted"}


async def test_one_that_declares_nothing_is_of_the_strictest_class() -> None:
    tools = of_settings(twice="shop_tools:plain", foreign="shop_tools:foreign", slow="shop_tools:slow")
    assert [(one.metadata or {})["class"] for one in tools.values()] == ["exec"] * 3
    assert [(one.metadata or {})["effect"] for one in tools.values()] == ["once"] * 3
    assert await tools["twice"].ainvoke({"number": 4}) == "8"
    assert await tools["foreign"].ainvoke({"text": "回声"}) == "回声"
    assert await tools["slow"].ainvoke({"seconds": 0}) == "done"
    assert foreign.metadata is None  # the one that was given is as it was


def test_a_line_of_the_settings_says_what_it_is() -> None:
    line = {
        "target": "shop_tools:plain",
        "class": "egress",
        "effect": "idempotent",
        "description": "Two of it.",
    }
    (made,) = of_settings(twice=line).values()
    assert made.metadata == {"class": "egress", "effect": "idempotent"}
    assert made.description == "Two of it."
    asked = ToolContext(ToolSettings(web_search=False), functions={"twice": line}, given=[foreign])
    assert {"calculator", "now", "twice", "foreign"} <= {one.name for one in build_tools(asked)}


def test_another_packages_entry_point_may_be_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint(name, f"shop_tools:{name}", "motet.tools") for name in ("plain", "built", "foreign")]
    monkeypatch.setattr(base, "entry_points", lambda group: points)
    made = build_tools(ToolContext(ToolSettings(timeout_s=7)), ["plain", "built", "foreign"])
    assert [one.name for one in made] == ["plain", "built", "foreign"]
    assert made[1].description == "Within 7 s."


@pytest.mark.parametrize("target", ["shop_tools:gone", "gone.away:x", "shop_tools:Piece.nothing", "sys:path"])
def test_another_packages_entry_point_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    point = EntryPoint("theirs", target, "motet.tools")
    monkeypatch.setattr(base, "entry_points", lambda group: [point])
    with pytest.raises(SettingInvalid, match=f"'theirs' of another package .'{target}'.*uninstall"):
        build_tools(ToolContext(ToolSettings()))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("shop_tools", "module:function"),
        ("shop_tools:none", "cannot be loaded"),
        ("no_such_module_at_all:f", "cannot be loaded"),
        ("shop_tools:number", "a function or a LangChain tool"),
        ({"target": "shop_tools:plain", "class": "harmless"}, "known: read"),
        ({"target": "shop_tools:plain", "effect": "twice"}, "known: pure"),
        ({"target": "shop_tools:plain", "trust": True}, "'trust' is unknown"),
    ],
)
def test_a_line_that_is_wrong(entry: Any, said: str) -> None:
    with pytest.raises(SettingInvalid, match=said):
        of_settings(mine=entry)


def test_no_tool_takes_a_shipped_ones_place() -> None:
    with pytest.raises(SettingInvalid, match="there already"):
        of_settings(calculator="shop_tools:plain")
    with pytest.raises(NotFound, match="Did you mean 'twice'"):
        build_tools(ToolContext(ToolSettings(), functions={"twice": "shop_tools:plain"}), ["twise"])


def test_what_cannot_be_a_tool() -> None:
    with pytest.raises(InvalidInput, match="no docstring"):
        function_tool(lambda x: x, name="f")
    with pytest.raises(InvalidInput, match="no name"):
        function_tool(lambda: 1, description="One.")
    with pytest.raises(InvalidInput, match="function or a LangChain tool"):
        to_tool(3, "three")


def test_only_the_users_own_file_names_functions(tmp_path: Path) -> None:
    own, project = tmp_path / "config.toml", tmp_path / "project"
    project.mkdir()
    own.write_text('[functions]\nstock = "shop_tools:stock"\n', "utf-8")
    environ = {"MOTET_CONFIG": str(own), "MOTET_HOME": str(tmp_path)}
    assert Settings.load(environ=environ, cwd=project).functions == {"stock": "shop_tools:stock"}
    (project / "motet.toml").write_text('[functions]\nevil = "os:system"\n', "utf-8")
    with pytest.raises(SettingInvalid, match="own settings file"):
        Settings.load(environ=environ, cwd=project)


class Colour(Enum):
    """A choice."""

    RED = "红"


@dataclass
class Piece:
    """A part of a result."""

    made: date
    colours: list[Colour]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Piece(date(2026, 3, 1), [Colour.RED]), '{"made": "2026-03-01", "colours": ["红"]}'),
        ([ToolSettings], "[\"<class 'motet.settings.agents.ToolSettings'>\"]"),
        ({"n": float("nan"), 3: {1}}, '{"n": null, "3": [1]}'),
        ("as it is", "as it is"),
        (None, "Done."),
    ],
)
async def test_a_result_is_text_or_json(result: Any, said: str) -> None:
    def give() -> Any:
        """Give it."""
        return result

    assert await function_tool(give).ainvoke({}) == said


async def test_a_function_that_ends_its_program_does_not_end_motet() -> None:
    def parse(word: str) -> None:
        """Read a word as a command line does."""
        raise SystemExit(2)

    assert await function_tool(parse).ainvoke({"word": "x"}) == "parse failed: SystemExit: 2."


async def test_a_parameter_that_langchain_keeps_is_named() -> None:
    def aim(config: str) -> str:
        """Aim."""
        return config

    def told(word: str, config: RunnableConfig) -> str:
        """Say a word."""
        return f"{word} {min(config)}"

    with pytest.raises(InvalidInput, match="parameter 'config'"):
        function_tool(aim)
    assert (await function_tool(told).ainvoke({"word": "a"})).startswith("a ")
