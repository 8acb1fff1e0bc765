"""Tables of HTML: cells that span rows or columns, and long tables, whose pieces all have the heads of the columns.

What does not live here: which element is a block (`html_blocks`), and where a table is cut (`table`).
"""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from motet.retrieval.loaders.table import WIDTH, pieces
from motet.storage.search import text_width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_SPAN = 200
MAX_ADDED = 20_000
"""Cells that are put into one page for those that span others."""

MAX_COPIED_CHARS = 200
MAX_COPIED_ELEMENTS = 20
"""What a cell holds that spans rows stands in each of them, unless it is more than this."""


def square(tree: Any) -> None:
    """Give each row of each table a cell for each column: below a cell that spans rows what it holds, else nothing."""
    left = MAX_ADDED
    for table in list(tree.iter("table")):
        if left > 0 and table.xpath("boolean(.//*[@rowspan or @colspan])"):
            left = _square(list(_rows(table)), left)


def _rows(table: Any) -> Iterator[Any]:
    """Yield a table's own rows, not those of tables inside of it."""
    for child in table:
        if child.tag == "tr":
            yield child
        elif child.tag in ("thead", "tbody", "tfoot"):
            yield from (row for row in child if row.tag == "tr")


def _square(rows: Sequence[Any], left: int) -> int:
    """Square one table; return how many cells may still be added to the page."""
    held: dict[int, tuple[int, Any]] = {}  # by column: in how many more rows, and what stands there
    for row in rows:
        cells = deque(row)
        if left <= 0 or any(cell.tag not in ("td", "th") for cell in cells):
            return left
        made: list[Any] = []
        is_alone = len(cells) == 1 and not held
        while cells or len(made) in held:
            column = len(made)
            if column in held:
                more, below = held.pop(column)
                if more > 1:
                    held[column] = (more - 1, below)
                made.append(deepcopy(below))
                left -= 1
                continue
            cell = cells.popleft()
            across = 1 if is_alone else _span(cell, "colspan")  # a caption over all columns
            made += [cell, *(cell.makeelement(cell.tag) for _ in range(across - 1))]
            left -= across - 1
            if (down := _span(cell, "rowspan")) > 1:
                held[column] = (down - 1, _below(cell))
                held |= {column + n: (down - 1, cell.makeelement(cell.tag)) for n in range(1, across)}
        row[:] = made
    return left


def _span(cell: Any, name: str) -> int:
    written = cell.get(name, "").strip()
    return max(1, min(int(written), MAX_SPAN)) if written.isdecimal() and len(written) < 6 else 1


def _below(cell: Any) -> Any:
    """Return what stands below a cell that spans rows."""
    size = sum(1 for _ in cell.iter())
    if size > MAX_COPIED_ELEMENTS or len("".join(cell.itertext())) > MAX_COPIED_CHARS:
        return cell.makeelement(cell.tag)
    copy = deepcopy(cell)
    copy.tail = None
    return copy


def cut(rows: Sequence[str], tags: Sequence[str]) -> list[list[str]]:
    """Cut a table into pieces of whole rows that each begin with its heads; one piece where it is not to be cut.

    Args:
        rows: Each as a line, `a | b |`.
        tags: Of the cells of each row: `th` where all are heads, `td` where none is, "" where some are.
    """
    if sum(map(text_width, rows)) <= WIDTH or (tags[0] != "th" and set(tags) != {"td"}):
        return [list(rows)]
    found = list(pieces([_cells(row) for row in rows], _line))
    heads = found[0].heads
    if not heads or heads[-1].count("|") < 2 or sum(map(text_width, heads)) > WIDTH / 2:
        return [list(rows)]  # a page that is laid out by a table
    return [[*piece.heads, *piece.lines] for piece in found]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.removesuffix("|").split("|")]


def _line(cells: Sequence[str]) -> str:
    return " ".join(f"{' | '.join(cells)} |".split())
