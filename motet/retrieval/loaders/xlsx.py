"""Excel files: pieces of whole rows under the heads of their columns, the sheet's name as heading."""

from __future__ import annotations

import datetime as dt
import io
import re
from itertools import count
from typing import TYPE_CHECKING, Any

from motet.retrieval.loaders.archive import Archive
from motet.retrieval.loaders.assemble import Assembly
from motet.retrieval.loaders.library import from_library
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

MAX_ROWS = 200_000
"""Of all sheets; rows without anything in them are not counted."""

MAX_FILLED_CHARS = 200
"""What a merged cell holds stands in each of its rows, unless it is longer."""

_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\s[^>]{0,200}?ref=["']([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})["']"""
)
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load each sheet as a table; formulas are their last results. The title is the file's own.

    A sheet's number is the page. What a cell holds that is merged over several rows stands in each of them.

    Raises:
        DocumentUnreadable: It is broken, built to do harm, too long, or openpyxl is not installed.
    """
    archive = Archive(data, path)
    title = archive.property("docProps/core.xml", "title")
    made, counter, has_formulas = Assembly(), count(1), False
    with from_library("openpyxl", path) as openpyxl:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        for number, sheet in enumerate(book.worksheets, 1):
            sheet.reset_dimensions()  # what it says of its size may be a lie
            source = archive.read(sheet._worksheet_path)  # noqa: SLF001  # it reads no merged cells itself
            has_formulas = has_formulas or _FORMULA.search(source) is not None
            merged = _merged(source, openpyxl.utils.column_index_from_string)
            made.add_table(_rows(sheet, merged, counter, path), sheet.title[:200], number)
        book.close()
    document = made.document(title)
    if has_formulas and not document.sections:
        raise unreadable(
            path,
            "it holds formulas without their results",
            "Open it in an office program, save it, and add it again.",
        )
    return document


def _merged(source: bytes, column: Callable[[str], int]) -> dict[int, dict[int, int]]:
    """Return the last row of each cell that is merged over several rows, by its first row and its column, from 1."""
    found: dict[int, dict[int, int]] = {}
    for letters, first, last in _MERGED.findall(source):
        if int(last) > int(first):
            found.setdefault(int(first), {})[column(letters.decode())] = int(last)
    return found


def _rows(
    sheet: Any, merged: Mapping[int, Mapping[int, int]], counter: Iterator[int], path: Path
) -> Iterator[list[str]]:
    held: dict[int, tuple[int, str]] = {}  # by column: until which row, and what
    for number, cells in enumerate(sheet.iter_rows(), 1):
        row = [_shown(cell) for cell in cells]
        if not any(row):
            continue
        if next(counter) > MAX_ROWS:
            raise unreadable(path, f"it has more than {MAX_ROWS:,} rows", "Save the rows that matter as CSV.")
        for column, (last, text) in list(held.items()):
            if number > last:
                del held[column]
            elif column <= len(row) and not row[column - 1]:
                row[column - 1] = text
        for column, last in merged.get(number, {}).items():
            if column <= len(row) and len(row[column - 1]) <= MAX_FILLED_CHARS:
                held[column] = (last, row[column - 1])
        yield row


def _shown(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_per_cent(cell):
        return f"{value * 100:.10g}%"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def _is_per_cent(cell: Any) -> bool:
    """Say whether a number is shown as so many per cent."""
    return cell.has_style and "%" in (cell.number_format or "")
