"""The block splitter: nothing is lost, cuts do not depend on pieces, and a cut never changes what is rendered."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from motet.cli.markdown.blocks import BlockSplitter

HTML = MarkdownIt("commonmark").enable("table")

LINE = st.sampled_from(
    [
        "",
        "Plain text that goes on.",
        "中文段落，没有空格。",
        "# Heading",
        "- item",
        "  - nested item",
        "  indented text",
        "    indented code",
        "1. first",
        "10) tenth",
        "```python",
        "```",
        "~~~",
        "````",
        "```not a fence``` but code",
        "> quote",
        "| a | 表 |",
        "|---|---|",
        "| 1 | 中 |",
        "---",
        "===",
        "\tafter a tab",
        "  ",
    ]
)
TEXT = st.lists(LINE, max_size=14).map("\n".join)


def split(text: str, cuts: list[int] | None = None) -> list[str]:
    splitter = BlockSplitter()
    blocks: list[str] = []
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts or []), len(text)]
    for start, end in itertools.pairwise(places):
        blocks += splitter.feed(text[start:end])
    return blocks + splitter.flush()


@given(TEXT, st.lists(st.integers(0, 1000), max_size=12))
def test_nothing_is_lost_and_pieces_make_no_difference(text: str, cuts: list[int]) -> None:
    assert "".join(split(text)) == text
    assert split(text, cuts) == split(text)


@given(TEXT)
def test_blocks_render_like_the_whole(text: str) -> None:
    assert "".join(HTML.render(block) for block in split(text)) == HTML.render(text)


def test_finished_blocks_come_before_the_text_ends() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("One paragraph.\n") == []
    assert splitter.feed("\nTwo") == ["One paragraph.\n\n"]
    assert splitter.tail == "Two"


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```py\na\n\nb\n```\n\nend", ["```py\na\n\nb\n```\n\n", "end"]),
        ("````\n```\n\n```\n````\n\nend", ["````\n```\n\n```\n````\n\n", "end"]),
        ("- a\n\n- b\n\n  more\n\nend", ["- a\n\n- b\n\n  more\n\n", "end"]),
        (
            "| 名 | 值 |\n|---|---|\n| 甲 | 1 |\n\n结束。",
            ["| 名 | 值 |\n|---|---|\n| 甲 | 1 |\n\n", "结束。"],
        ),
        ("第一段。\n\n第二段。", ["第一段。\n\n", "第二段。"]),
        ("```open\n\nnever closed", ["```open\n\nnever closed"]),
        ("    code\n\n    same code\n\nend", ["    code\n\n    same code\n\n", "end"]),
        ("", []),
    ],
)
def test_what_is_one_block(text: str, blocks: list[str]) -> None:
    assert split(text) == blocks


def test_the_window_of_a_long_fence_is_a_fence() -> None:
    splitter = BlockSplitter()
    splitter.feed("```python\n" + "".join(f"line({n})\n" for n in range(100)))
    window = splitter.window(10)
    assert window.startswith("```python\nline(90)\n")
    assert window.endswith("line(99)\n")


def test_a_splitter_can_be_used_again_after_flush() -> None:
    splitter = BlockSplitter()
    splitter.feed("```\nopen")
    assert splitter.flush() == ["```\nopen"]
    assert splitter.flush() == []
    assert splitter.feed("a\n\nb") == ["a\n\n"]
