"""A document put together piece by piece: each piece is a section, with its heading and its page.

What does not live here: any format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.decode import clean
from motet.retrieval.loaders.table import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
        """Add a table as markdown, cut into pieces of whole rows, each below the heads of its columns."""
        for piece in pieces((row[:MAX_CELLS_IN_ROW] for row in rows), _line):
            captions = piece.heads[: len(piece.heads) - piece.is_headed]
            above = [caption.strip("| ") for caption in captions] + piece.heads[len(captions) :]
            if piece.is_headed:
                above.append("| --- " * piece.heads[-1].count(" | ") + "| --- |")
            self.add("\n".join([*above, *piece.lines]), heading, page)

    def document(self, title: str = "") -> LoadedDocument:
        """Return what was put together."""
        return LoadedDocument(
            "".join(self._parts).rstrip(), " ".join(clean(title).split())[:200], self._sections
        )


def _line(row: Sequence[str]) -> str:
    cells = [" ".join(cell[:MAX_CELL_CHARS].replace("|", "/").split()) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return f"| {' | '.join(cells)} |" if cells else ""
