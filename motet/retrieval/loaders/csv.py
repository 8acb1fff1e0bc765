"""CSV and TSV: pieces of whole rows, each under the heads of its columns."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from motet.retrieval.decode import decode
from motet.retrieval.loaders.assemble import Assembly
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20
_SAMPLE_CHARS = 100_000
MAX_FIELD_CHARS = 1_000_000


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a table; its delimiter is the one of `,`, `;`, tab and `|` that cuts its first rows most evenly.

    Raises:
        DocumentUnreadable: It is no text, or a field of it is too long.
    """
    text = decode(data, path)
    csv.field_size_limit(MAX_FIELD_CHARS)
    made = Assembly()
    try:
        made.add_table(csv.reader(io.StringIO(text), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise unreadable(
            path, f"it is no table that can be read ({error})", "Save it again as CSV."
        ) from None
    return made.document()


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts most of the first rows, quotes heeded, into as many cells as the first one."""
    lines = text[:_SAMPLE_CHARS].splitlines(keepends=True)[:_SAMPLE_LINES]

    def evenness(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        first = widths[0] if widths else 0
        return (widths.count(first) if first > 1 else 0, first)

    return max(_DELIMITERS, key=evenness)
