"""Tables: which of their first rows head the columns, and where a long one is cut.

What does not live here: how a row is written (`assemble`, `html_blocks`).
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from motet.storage.search import text_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

WIDTH = 540
"""Columns of text that one piece of a table takes with its heads: it stays one passage."""

MAX_CAPTIONS = 3

FIRST_YEAR, LAST_YEAR = 1900, 2100


class Piece(NamedTuple):
    """Some rows of a table, whole, and the rows that stand above them."""

    heads: list[str]
    """The captions, and the heads of the columns; [] where it has none. The same for each piece."""
    is_headed: bool
    """The last of them is the heads of the columns."""
    lines: list[str]
    """Empty for a table of heads alone."""


def pieces(rows: Iterable[Sequence[str]], line: Callable[[Sequence[str]], str]) -> Iterator[Piece]:
    """Cut a table into pieces that are narrow enough, or of one row.

    Args:
        rows: Its cells. Rows without anything in them are passed over.
        line: Writes a row.
    """
    left = (row for row in rows if _filled(row))
    first = list(islice(left, MAX_CAPTIONS + 2))
    captions, is_headed = _heads(first)
    count = captions + is_headed
    heads = [line(row) for row in first[:count]]
    above = sum(map(text_width, heads))
    lines: list[str] = []
    width = 0
    for row in chain(first[count:], left):
        written = line(row)
        if lines and width + text_width(written) > WIDTH:
            yield Piece(heads, is_headed, lines)
            lines, width = [], 0
        width += text_width(written) + (0 if lines else above)
        lines.append(written)
    if lines or heads:
        yield Piece(heads, is_headed, lines)


def _heads(first: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """Return how many of the first rows are captions, each one cell, and whether the row after them has heads.

    A row has heads unless a cell of it is a number; years may be heads, where what stands below is none.
    """
    captions = next((at for at, row in enumerate(first[: MAX_CAPTIONS + 1]) if _filled(row) > 1), 0)
    if captions == len(first):
        return 0, False
    row = first[captions]
    numbers = [at for at, cell in enumerate(row) if is_number(cell)]
    if not numbers:
        return captions, True
    below = first[captions + 1] if captions + 1 < len(first) else ()
    are_years = 0 not in numbers and all(_is_year(row[at]) for at in numbers)
    values = [below[at] for at in numbers if at < len(below)]
    return captions, are_years and any(is_number(cell) and not _is_year(cell) for cell in values)


def is_number(cell: str) -> bool:
    """Say whether a cell is a number, with a sign, separators of thousands or a percent sign."""
    bare = cell.strip().replace(",", "").removesuffix("%")
    return bool(bare) and bare.removeprefix("-").replace(".", "", 1).isdigit()


def _is_year(cell: str) -> bool:
    bare = cell.strip()
    return len(bare) == 4 and bare.isdecimal() and FIRST_YEAR <= int(bare) <= LAST_YEAR


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())
