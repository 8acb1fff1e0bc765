"""Filters see a text in pieces of any size and give the same text."""

import pytest

from motet.models.filtered import TextFilter
from motet.models.text_filters import StopFilter, ThoughtFilter


def fed(text_filter: TextFilter, text: str, size: int) -> str:
    shown = [text_filter.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(shown) + text_filter.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("<think>Hm, 7*13.</think>\n\nNo.", "No.", "Hm, 7*13."),
        ("\n<think>a < b</think>c", "c", "a < b"),
        ("Plain <think>text</think>", "Plain <think>text</think>", ""),
        ("<thin ice", "<thin ice", ""),
        ("<think>without end", "", "without end"),
        ("", "", ""),
    ],
)
def test_thoughts_are_taken_off_the_beginning(text: str, answer: str, thought: str, size: int) -> None:
    thoughts = ThoughtFilter()
    assert fed(thoughts, text, size) == answer
    assert thoughts.thought() == thought


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one STOP two", "one "),
        ("no end here", "no end here"),
        ("ends in ST", "ends in ST"),
        ("终。后", "终"),
    ],
)
def test_a_text_ends_before_a_stop_word(text: str, shown: str, size: int) -> None:
    assert fed(StopFilter(["STOP", "。"]), text, size) == shown
    assert fed(StopFilter([]), text, size) == text
