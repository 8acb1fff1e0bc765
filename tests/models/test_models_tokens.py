"""Counting tokens without a tokenizer, in English and in Chinese."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from motet.models.tokens import estimate_tokens, most_prompt_tokens, most_tokens

COUNTED = {
    "The quick brown fox jumps over the lazy dog and runs back to the small town before sunset.": 19,
    "今天天气很好，我们去公园散步，然后在湖边的小饭馆吃午饭。": 19,
    '{"name": "calculator", "arguments": {"expression": "20 * 12 * 0.9"}}': 25,
    "def add(a: int, b: int) -> int:\n    return a + b\n": 19,
}
"""Texts, and how many tokens Qwen2.5's tokenizer makes of them."""


@pytest.mark.parametrize("text", COUNTED)
def test_the_estimate_is_near(text: str) -> None:
    assert COUNTED[text] * 0.6 <= estimate_tokens(text) <= COUNTED[text] * 1.6


@pytest.mark.parametrize("text", [*COUNTED, "", "🎉🎉", "a"])
def test_the_most_is_more(text: str) -> None:
    assert most_tokens(text) > COUNTED.get(text, 0)


def test_nothing_is_no_token() -> None:
    assert estimate_tokens("") == 0


def test_a_prompts_tools_and_calls_count() -> None:
    plain = most_prompt_tokens([HumanMessage("hi")])
    assert most_prompt_tokens([HumanMessage("hi")], [{"name": "calculator"}]) > plain
    call = {"name": "now", "args": {"zone": "UTC"}, "id": "1", "type": "tool_call"}
    assert most_prompt_tokens([AIMessage("", tool_calls=[call])]) > most_prompt_tokens([AIMessage("")])
