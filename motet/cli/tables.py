"""Lay rows out for a terminal: in columns where they fit, as short paragraphs where they do not.

What does not live here: what is printed into a pipe (`lists`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from motet.cli.markdown.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
WIDE_CELLS = 24
"""Least width of the column that gives way; with less, rows become paragraphs."""


def lay_out(headers: Sequence[str], rows: Sequence[Sequence[str]], *, wide: int, width: int) -> list[Text]:
    """Return lines of at most `width` cells; no rows give none.

    Args:
        headers: One a column.
        rows: Values without line breaks, one a column.
        wide: Index of the column whose values are broken over several lines where there is no room.
        width: Of the terminal, in cells.
    """
    if not rows:
        return []
    widths = [max(cell_len(line[n]) for line in (headers, *rows)) for n in range(len(headers))]
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    if over > 0:
        widths[wide] -= over
        if widths[wide] < WIDE_CELLS:
            return [line for row in rows for line in _paragraph(row, wide, width)]
    head = _columns(headers, widths, wide)
    for line in head:
        line.stylize("dim")
    return [*head, *(line for row in rows for line in _columns(row, widths, wide))]


def _columns(row: Sequence[str], widths: Sequence[int], wide: int) -> list[Text]:
    """Return a row in columns; only the wide one goes on in further lines."""
    parts = wrap(Text(row[wide]), widths[wide]) or [Text("")]
    lines: list[Text] = []
    for number, part in enumerate(parts):
        cells = [part.plain if n == wide else "" if number else value for n, value in enumerate(row)]
        padded = (cell + " " * (widths[n] - cell_len(cell)) for n, cell in enumerate(cells))
        lines.append(Text(GAP.join(padded).rstrip()))
    return lines


def _paragraph(row: Sequence[str], wide: int, width: int) -> list[Text]:
    """Return a row as its first value and its wide one, and the others on lines of their own below."""
    first, *others = [value for n, value in enumerate(row) if n != wide]
    told = " · ".join(value for value in others if value)
    lines = _hanging(f"{first}{GAP}{row[wide]}".strip(), width)
    for line in _hanging(told, width, indent=GAP) if told else []:
        line.stylize("dim")
        lines.append(line)
    return lines


def _hanging(text: str, width: int, indent: str = "") -> list[Text]:
    wrapped = wrap(Text(text), max(width - len(GAP), 2))
    return [Text(GAP if number else indent) + line for number, line in enumerate(wrapped)]
