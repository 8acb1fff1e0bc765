"""Line breaking of mixed Chinese and English text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from motet.cli.markdown.wrap import breaks, wrap

MIXED = st.text(st.sampled_from("ab 中文，。“”（）[1]-x\u3000é😀"), max_size=60)


def lines(text: str, width: int) -> list[str]:
    return [line.plain for line in wrap(Text(text), width)]


@given(MIXED, st.integers(2, 30))
def test_every_line_fits_and_no_character_is_lost(text: str, width: int) -> None:
    wrapped = lines(text, width)
    assert all(cell_len(line) <= width for line in wrapped)
    assert "".join("".join(wrapped).split()) == "".join(text.split())
    offsets = breaks(text, width)
    assert offsets == sorted(set(offsets))


def test_chinese_breaks_between_characters_beside_english() -> None:
    assert lines("Hello 很长的中文内容混排在一起", 12) == ["Hello 很长的", "中文内容混排", "在一起"]


def test_closing_punctuation_never_begins_a_line() -> None:
    assert lines("一二三四五，六七", 10) == ["一二三四", "五，六七"]


def test_opening_punctuation_never_ends_a_line() -> None:
    assert lines("一二三四《五六》", 10) == ["一二三四", "《五六》"]


def test_a_word_that_fits_nowhere_is_cut() -> None:
    assert lines("see https://example.org/a/long/path ok", 12) == [
        "see",
        "https://exam",
        "ple.org/a/lo",
        "ng/path ok",
    ]


def test_styles_survive() -> None:
    text = Text("bold and plain")
    text.stylize("bold", 0, 4)
    first, second = wrap(text, 8)
    assert (first.plain, second.plain) == ("bold and", "plain")
    assert first.spans[0].style == "bold"
    assert second.spans == []


def test_empty_lines_stay() -> None:
    assert lines("a\n\nb", 10) == ["a", "", "b"]
