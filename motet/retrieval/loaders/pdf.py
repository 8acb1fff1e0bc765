"""PDF: a section for each page, cut at the bookmarks where there are any.

PDFium is not safe to call from two threads, whatever the document: one lock holds for the whole process.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from motet.retrieval.base import HEADING_SEPARATOR, LoadedDocument, Section
from motet.retrieval.decode import clean
from motet.retrieval.unreadable import unreadable
from motet.storage.search import has_cjk, text_width

if TYPE_CHECKING:
    from pathlib import Path

    from motet.errors import DocumentUnreadable

MAX_PAGES = 5_000
MAX_PAGE_CHARS = 1_000_000
MAX_BOOKMARKS = 5_000
MAX_SECONDS = 60.0

_PDFIUM = threading.Lock()

_HYPHEN = re.compile("[\x02\ufffe](?:\r?\n)?|\xad\r?\n")
_SPACES = re.compile(r"[ \t\u00a0\u3000]+")


@dataclass(frozen=True, slots=True)
class _Bookmark:
    page: int  # from 0
    words: str
    heading: str  # its path


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load the text of a PDF's pages; its title is the document's own, or else empty.

    Raises:
        DocumentUnreadable: It is encrypted, broken, too long, takes too long, or holds no text.
    """
    with _PDFIUM:
        try:
            document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            raise _refusal(error, path) from None
        try:
            return _load(document, path)
        except pdfium.PdfiumError as error:
            raise unreadable(path, f"the PDF is broken ({error})", _REPAIR) from None
        finally:
            document.close()


_REPAIR = "Print it to a new PDF, or get it again."


def _refusal(error: pdfium.PdfiumError, path: Path) -> DocumentUnreadable:
    code = getattr(error, "err_code", None)
    if code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        return unreadable(path, "the PDF is encrypted", "Save a copy without a password and add that.")
    return unreadable(path, "it is not a PDF that can be opened", _REPAIR)


def _load(document: pdfium.PdfDocument, path: Path) -> LoadedDocument:
    count = len(document)
    if count > MAX_PAGES:
        raise unreadable(
            path, f"{count:,} pages are too many", f"Split it into parts of {MAX_PAGES:,} pages at most."
        )
    title = " ".join(clean(document.get_metadata_value("Title")).split())
    bookmarks = _bookmarks(document)
    deadline = time.monotonic() + MAX_SECONDS
    sections: list[Section] = []
    parts: list[str] = []
    pictures: list[int] = []
    start, heading = 0, ""
    for number in range(count):
        if time.monotonic() > deadline:
            raise unreadable(
                path, f"reading took more than {MAX_SECONDS:.0f} s", "Split it into smaller parts."
            )
        text = _page_text(document, number)
        if not text.strip() and _shows_picture(document, number):
            pictures.append(number + 1)
        here = [mark for mark in bookmarks if mark.page == number]
        for begin, end, above in _cut(text, here, heading):
            if text[begin:end].strip() not in {"", title, above}:  # words that stand alone answer nothing
                sections.append(Section(text[begin:end], start + begin, above, number + 1))
            heading = above
        parts.append(text)
        start += len(text)
    whole = "".join(parts)
    if not whole.strip():
        raise unreadable(path, "no page holds text (are they scanned pictures?)", "Run it through OCR first.")
    return LoadedDocument(whole, title, sections, _missing(pictures))


def _shows_picture(document: pdfium.PdfDocument, number: int) -> bool:
    """Say whether a page has a picture; one without anything on it is empty, and nothing of it is missing."""
    page = document[number]
    try:
        return (
            next(iter(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=3)), None) is not None
        )
    finally:
        page.close()


def _missing(pages: list[int]) -> str:
    """Say which pages, in order, are pictures without text: `pages 2 to 4 and 7 …`."""
    if not pages:
        return ""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][1] + 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    named = [str(a) if a == b else f"{a} to {b}" for a, b in runs]
    if len(named) > _MAX_RUNS:
        named = [*named[:_MAX_RUNS], "others"]
    told = " and ".join([part for part in (", ".join(named[:-1]), named[-1]) if part])
    is_one = len(pages) == 1
    kind = "is a picture" if is_one else "are pictures"
    return f"page{'' if is_one else 's'} {told} {kind} without text, not searched; run it through OCR first"


_MAX_RUNS = 10


def _page_text(document: pdfium.PdfDocument, number: int) -> str:
    """Return one page's text, its lines joined where a CJK sentence goes on, with a blank line at the end."""
    page = document[number]
    try:
        textpage = page.get_textpage()
        try:
            raw = textpage.get_text_range(0, min(textpage.count_chars(), MAX_PAGE_CHARS), errors="ignore")
        finally:
            textpage.close()
    finally:
        page.close()
    lines = [_SPACES.sub(" ", line).strip() for line in clean(_HYPHEN.sub("", raw)).split("\n")]
    return _join_wrapped(lines) + "\n\n"


def _join_wrapped(lines: list[str]) -> str:
    """Join lines of CJK text that were wrapped: a full line, with CJK on both sides of its end.

    Lines of other scripts stay: a line end there is as good as a space.
    """
    full = max((text_width(line) for line in lines), default=0) * 0.75
    joined: list[str] = []
    for index, line in enumerate(lines):
        after = lines[index + 1] if index + 1 < len(lines) else ""
        wrapped = text_width(line) >= full and has_cjk(line[-1:]) and has_cjk(after[:1])
        joined.append(line if wrapped else line + "\n")
    return "".join(joined).strip()


def _bookmarks(document: pdfium.PdfDocument) -> list[_Bookmark]:
    found: list[_Bookmark] = []
    path: list[str] = []
    for bookmark in document.get_toc(max_depth=8):
        if len(found) == MAX_BOOKMARKS:
            break
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        words = " ".join(clean(bookmark.get_title()).split())[:200]
        path = [*path[: bookmark.level], words]
        if page is not None and words:
            found.append(_Bookmark(page, words, HEADING_SEPARATOR.join(part for part in path if part)))
    return found


def _cut(text: str, bookmarks: list[_Bookmark], before: str) -> list[tuple[int, int, str]]:
    """Cut a page where its bookmarks' words stand; `(begin, end, heading)` of each piece, in order.

    A bookmark whose words are not on the page counts from where the last one was found.
    """
    pieces: list[tuple[int, int, str]] = []
    begin, cursor, heading = 0, 0, before
    for mark in bookmarks:
        at = text.find(mark.words, cursor)
        if at >= 0:
            pieces.append((begin, at, heading))
            begin, cursor = at, at + len(mark.words)
        heading = mark.heading
    return [*pieces, (begin, len(text), heading)]
