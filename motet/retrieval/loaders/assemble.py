"""A document put together piece by piece: each piece is a section, with its heading and its page.

What does not live here: any format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.decode import clean
from motet.storage.search import text_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TABLE_WIDTH = 540
"""Columns of text that one piece of a table takes with its heads: it stays one passage."""

MAX_CELL_CHARS = 2_000
MAX_CELLS_IN_ROW = 200


class Assembly:
    """Collects sections."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._sections: list[Section] = []
        self._at = 0

    def add(self, text: str, heading: str = "", page: int | None = None) -> None:
        """Add a piece; one that is all space is passed over."""
        text = clean(text).strip()
        if not text:
            return
        self._sections.append(Section(text, self._at, heading, page))
        self._parts.append(text + "\n\n")
        self._at += len(text) + 2

    def add_table(self, rows: Iterable[Sequence[str]], heading: str = "", page: int | None = None) -> None:
        """Add a table as markdown, cut into pieces of whole rows that each begin with the heads of the columns.

        The first row has the heads, unless a cell of it is a number: then there are none.
        """
        heads, lines, width, last = "", list[str](), 0, ""
        for row in rows:
            line = _line(row)
            if not line.strip(" |"):
                continue
            if not last and not any(map(_is_number, row)):
                heads = line + "\n" + "| --- " * line.count(" | ") + "| --- |\n"
                last = line
                continue
            last = line
            if lines and width + text_width(line) > TABLE_WIDTH:
                self.add(heads + "\n".join(lines), heading, page)
                lines, width = [], 0
            width += text_width(line) + (0 if lines else text_width(heads))
            lines.append(line)
        if lines or heads:
            self.add(heads + "\n".join(lines), heading, page)

    def document(self, title: str = "") -> LoadedDocument:
        """Return what was put together."""
        return LoadedDocument(
            "".join(self._parts).rstrip(), " ".join(clean(title).split())[:200], self._sections
        )


def _line(row: Sequence[str]) -> str:
    cells = [" ".join(cell[:MAX_CELL_CHARS].replace("|", "/").split()) for cell in row[:MAX_CELLS_IN_ROW]]
    while cells and not cells[-1]:
        cells.pop()
    return f"| {' | '.join(cells)} |" if cells else ""


def _is_number(cell: str) -> bool:
    bare = cell.strip().replace(",", "").removesuffix("%")
    return bool(bare) and bare.removeprefix("-").replace(".", "", 1).isdigit()
