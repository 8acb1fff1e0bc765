"""Plain text: one section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.decode import decode
from motet.storage.search import text_width

if TYPE_CHECKING:
    from pathlib import Path

MAX_TITLE_WIDTH = 80

_SENTENCE_ENDS = frozenset(".,;。，；")


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load plain text; its title is the first line where that stands alone."""
    text = decode(data, path)
    return LoadedDocument(text, _title(text), [Section(text, 0)])


def _title(text: str) -> str:
    lines = text[:2000].lstrip().split("\n", 2)
    first = lines[0].strip()
    alone = len(lines) > 2 and not lines[1].strip()
    return (
        first if alone and text_width(first) <= MAX_TITLE_WIDTH and first[-1:] not in _SENTENCE_ENDS else ""
    )
