"""Excel files: pieces of whole rows under the heads of their columns, the sheet's name as heading."""

from __future__ import annotations

import datetime as dt
import io
from itertools import count
from typing import TYPE_CHECKING, Any

from motet.retrieval.loaders.archive import Archive
from motet.retrieval.loaders.assemble import Assembly
from motet.retrieval.loaders.library import from_library
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

MAX_ROWS = 200_000
"""Of all sheets; a sheet that only claims a row far down counts all those above it."""


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load each sheet as a table; formulas are their last results. The title is the file's own.

    A sheet's number is the page.

    Raises:
        DocumentUnreadable: It is broken, built to do harm, too long, or openpyxl is not installed.
    """
    archive = Archive(data, path)
    title = archive.property("docProps/core.xml", "title")
    made, counter = Assembly(), count(1)
    with from_library("openpyxl", path) as openpyxl:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        for number, sheet in enumerate(book.worksheets, 1):
            sheet.reset_dimensions()  # what it says of its size may be a lie
            made.add_table(_rows(sheet, counter, path), sheet.title[:200], number)
        book.close()
    return made.document(title)


def _rows(sheet: Any, counter: Iterator[int], path: Path) -> Iterator[list[str]]:
    for number, row in zip(counter, sheet.iter_rows(values_only=True), strict=False):
        if number > MAX_ROWS:
            raise unreadable(path, f"it has more than {MAX_ROWS:,} rows", "Save the rows that matter as CSV.")
        yield [_shown(value) for value in row]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)
