"""Tools that are made: names, order, what is left out, and what is unknown."""

import pytest

from motet.errors import NotFound
from motet.settings import ToolSettings
from motet.tools.base import ToolContext, known_tools
from motet.tools.making import build_tools


def test_tools_come_in_the_order_of_their_names() -> None:
    tools = build_tools(ToolContext(ToolSettings()), ["now", "calculator"])
    assert [tool.name for tool in tools] == ["now", "calculator"]


def test_a_tool_that_cannot_work_with_these_settings_is_left_out() -> None:
    context = ToolContext(ToolSettings(files_root="", web_search=False))
    assert build_tools(context, ["read_file", "web_search", "now"])[0].name == "now"


def test_every_tool_says_how_it_may_be_used() -> None:
    for tool in build_tools(ToolContext(ToolSettings(files_root="/"))):
        assert tool.metadata is not None
        assert tool.metadata["effect"] in {"pure", "idempotent", "once"}
        assert tool.metadata["class"] in {"read", "write", "egress", "exec"}
        assert tool.description.endswith(".")
        assert tool.name in known_tools()


def test_an_unknown_tool_is_named_with_a_near_one() -> None:
    with pytest.raises(NotFound, match="Did you mean 'calculator'"):
        build_tools(ToolContext(ToolSettings()), ["calculater"])
