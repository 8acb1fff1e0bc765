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
MAX_FIELD_CHARS = 1_000_000


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a table; its delimiter is the one of `,`, `;`, tab and `|` that cuts its first lines most evenly.

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
    lines = [line for line in text[:100_000].splitlines()[:_SAMPLE_LINES] if line.strip()]

    def evenness(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        commonest = max(set(counts), key=counts.count, default=0)
        return (counts.count(commonest) if commonest else 0, commonest)

    return max(_DELIMITERS, key=evenness)
