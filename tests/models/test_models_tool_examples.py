"""Examples are about other tools, fit the arguments of these, and are the same for the same tools."""

import json
from typing import Any

import pytest

from motet.models.tool_examples import CALLS, FIRST, LAST, examples


def a_tool(**types: str) -> dict[str, Any]:
    properties = {name: {"type": kind} for name, kind in types.items()}
    return {"name": "t", "parameters": {"type": "object", "properties": properties, "required": list(types)}}


def shown(*tools: dict[str, Any], language: str = "en") -> list[str]:
    text = examples(tools, language)
    return [kind for kind, line in CALLS[language].items() if line in text]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_line_is_a_valid_reply(language: str) -> None:
    lines = "\n".join([FIRST[language], *CALLS[language].values(), LAST[language]]).splitlines()
    for line in lines:
        reply = json.loads(line.split(" -> ")[1])
        assert set(reply) in ({"tool", "arguments"}, {"tool", "answer"})


def test_kinds_follow_the_tools() -> None:
    assert shown(a_tool(text="string")) == ["number"]
    assert shown(a_tool(text="string", count="integer")) == ["number"]
    assert shown(a_tool(), a_tool(things="array")) == ["list", "none"]
    assert shown(a_tool(on="boolean", place="object", things="array", count="number")) == ["list", "object"]
    assert shown(a_tool(on="boolean"), language="zh") == ["boolean"]


def test_what_is_optional_is_not_shown() -> None:
    tool = a_tool(things="array")
    tool["parameters"]["required"] = []
    assert shown(tool) == ["number"]
