"""Examples are about other tools, fit the arguments of these, and are the same for the same tools."""

import json
from typing import Any

import pytest

from motet.models.prompt_files import Language, PromptFiles
from motet.models.tool_examples import KINDS, examples

PROMPTS = PromptFiles()


def a_tool(**types: str) -> dict[str, Any]:
    properties = {name: {"type": kind} for name, kind in types.items()}
    return {"name": "t", "parameters": {"type": "object", "properties": properties, "required": list(types)}}


def shown(*tools: dict[str, Any], language: Language = "en") -> list[str]:
    text = examples(tools, language, PROMPTS)
    return [kind for kind in KINDS if PROMPTS.text(f"tools_call_{kind}", language) in text]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_line_is_a_valid_reply(language: Language) -> None:
    names = ("tools_first", *(f"tools_call_{kind}" for kind in KINDS), "tools_last")
    for line in "\n".join(PROMPTS.text(name, language) for name in names).splitlines():
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
