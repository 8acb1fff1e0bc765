"""Rows on a terminal: columns where they fit, paragraphs where they do not."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from motet.cli.tables import lay_out

HEADERS = ["id", "title", "used"]
ROWS = [["28212553", "三十块电池的总容量是多少", "2 h ago"], ["d6d5f011", "hello", ""]]
WORDS = st.lists(st.sampled_from(["电池", "battery", "of", "，"]), max_size=6).map(" ".join)


def laid(width: int, rows: list[list[str]] | None = None) -> list[str]:
    return [line.plain for line in lay_out(HEADERS, ROWS if rows is None else rows, wide=1, width=width)]


def test_columns_are_aligned_by_cells() -> None:
    assert laid(80) == [
        "id        title                     used",
        "28212553  三十块电池的总容量是多少  2 h ago",
        "d6d5f011  hello",
    ]


def test_the_wide_column_gives_way() -> None:
    rows = [["28212553", "the total capacity of all batteries together", "2 h ago"]]
    assert laid(50, rows) == [
        "id        title                            used",
        "28212553  the total capacity of all        2 h ago",
        "          batteries together",
    ]


def test_a_narrow_terminal_gets_paragraphs() -> None:
    assert laid(30) == ["28212553  三十块电池的总容量", "  是多少", "  2 h ago", "d6d5f011  hello"]


def test_no_rows() -> None:
    assert laid(80, []) == []


@given(st.lists(st.tuples(WORDS, WORDS, WORDS).map(list), min_size=1, max_size=4), st.integers(20, 90))
def test_every_line_fits_and_nothing_is_lost(rows: list[list[str]], width: int) -> None:
    lines = laid(width, rows)
    assert all(cell_len(line) <= width for line in lines)
    given_characters = Counter("".join("".join(map("".join, rows)).split()))
    assert given_characters <= Counter("".join(lines))
