"""Plain text: one section, or one for each page where form feeds end the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.decode import decode
from motet.retrieval.loaders.assemble import Assembly
from motet.storage.search import text_width

if TYPE_CHECKING:
    from pathlib import Path

MAX_TITLE_WIDTH = 80

_SENTENCE_ENDS = frozenset(".,;。，；")


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load plain text; its title is the first line where that stands alone."""
    pages = _pages(data)
    if pages:
        made = Assembly()
        for number, page in enumerate(pages, 1):
            made.add(page, page=number)
        return made.document()
    text = decode(data, path)
    return LoadedDocument(text, _title(text), [Section(text, 0)])


def _pages(data: bytes) -> list[str]:
    """Return the pages of UTF-8 text with form feeds; [] where there are none."""
    if b"\f" not in data or b"\0" in data:
        return []
    try:
        return data.decode("utf-8-sig").split("\f")
    except UnicodeDecodeError:
        return []


def _title(text: str) -> str:
    lines = text[:2000].lstrip().split("\n", 2)
    first = lines[0].strip()
    alone = len(lines) > 2 and not lines[1].strip()
    return (
        first if alone and text_width(first) <= MAX_TITLE_WIDTH and first[-1:] not in _SENTENCE_ENDS else ""
    )
