"""What a small model is told: short, in its user's language, and the same for the same tools."""

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from motet.models.prompt_files import LANGUAGES, PromptFiles
from motet.models.tool_prompt import (
    argument_schema,
    plain_turns,
    system_text,
    tool_line,
    union_schema,
    with_system,
)

PROMPTS = PromptFiles()

LOOK: dict[str, Any] = {
    "name": "look",
    "description": "Look\n  a word up.",
    "parameters": {
        "type": "object",
        "properties": {
            "word": {"type": "string", "description": "The word."},
            "language": {"enum": ["en", "zh"]},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        },
        "required": ["word"],
    },
}


def test_tool_line_is_a_signature() -> None:
    assert tool_line(LOOK) == (
        '- look(word: string (The word.), language?: "en"|"zh", limit?: integer): Look a word up.'
    )
    assert tool_line({"name": "now"}) == "- now(): "


def test_system_text_stays_short() -> None:
    for language in LANGUAGES:
        text = system_text([LOOK], language=language, may_answer=True, prompts=PROMPTS)
        assert len(text.encode()) < 2_000
        assert len(system_text([LOOK], language=language, may_answer=False, prompts=PROMPTS)) < len(text)


def test_union_has_one_branch_a_tool_and_one_for_an_answer() -> None:
    schema = argument_schema(LOOK)
    union = union_schema({"look": schema, "now": argument_schema({})}, {"type": "string"})
    assert [b["properties"]["tool"]["const"] for b in union["anyOf"]] == ["look", "now", "none"]
    assert all(b["additionalProperties"] is False for b in union["anyOf"])
    assert [b["required"] for b in union["anyOf"]] == [["tool", "arguments"]] * 2 + [["tool", "answer"]]
    assert union_schema({"look": schema}, None)["properties"]["tool"] == {"const": "look"}


def test_argument_schema_is_closed_and_the_tool_unchanged() -> None:
    assert argument_schema(LOOK)["additionalProperties"] is False
    assert "additionalProperties" not in LOOK["parameters"]
    assert argument_schema({}) == {"type": "object", "properties": {}, "additionalProperties": False}
    open_one = {"parameters": {"type": "object", "additionalProperties": True}}
    assert argument_schema(open_one)["additionalProperties"] is True


def test_system_messages_become_one_with_the_stable_part_first() -> None:
    turns = with_system([HumanMessage("a"), SystemMessage("Be Ada."), SystemMessage("Be short.")], "Tools.")
    assert [turn.text for turn in turns] == ["Tools.\n\nBe Ada.\n\nBe short.", "a"]


def test_results_that_follow_each_other_are_one_turn_and_named_by_their_calls() -> None:
    call = AIMessage(
        "",
        tool_calls=[
            {"name": "look", "args": {"word": "鱼"}, "id": "1"},
            {"name": "now", "args": {}, "id": "2"},
        ],
    )
    results = [ToolMessage("fish", tool_call_id="1"), ToolMessage("noon", tool_call_id="2", name="now")]
    turns = plain_turns([HumanMessage("?"), call, *results], language="zh", as_json=True, prompts=PROMPTS)
    assert [turn.type for turn in turns] == ["human", "ai", "human"]
    assert turns[1].text.splitlines()[0] == '{"tool": "look", "arguments": {"word": "鱼"}}'
    assert turns[2].text == "look 的结果：fish\nnow 的结果：noon"


def test_a_user_who_speaks_after_a_result_keeps_a_turn_of_their_own() -> None:
    turns = plain_turns(
        [ToolMessage("noon", tool_call_id="9", name="now"), HumanMessage("And then?")],
        language="en",
        as_json=False,
        prompts=PROMPTS,
    )
    assert [turn.text for turn in turns] == ["Result of now: noon", "And then?"]
