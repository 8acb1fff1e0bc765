"""Word files: headings, paragraphs, lists and tables, read by mammoth; notes stand where they are referred to."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from motet.retrieval.loaders.archive import Archive
from motet.retrieval.loaders.docx_seen import without_hidden
from motet.retrieval.loaders.docx_styles import STYLES, heading_levels
from motet.retrieval.loaders.html import read_page
from motet.retrieval.loaders.html_blocks import to_document
from motet.retrieval.loaders.library import from_library

if TYPE_CHECKING:
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

# Word names its styles in English inside the file, WPS and others in the user's language.
_STYLES = "\n".join(
    [
        "p[style-name='Title'] => h1:fresh",
        "p[style-name='标题'] => h1:fresh",
        *(f"p[style-name='标题 {level}'] => h{level}:fresh" for level in range(1, 7)),
    ]
)

_CELL = re.compile(r"<(t[dh])\b[^>]*>.*?</\1>", re.DOTALL)
_NOTE = re.compile(r'<li id="((?:foot|end)note-[^"]*)">(.*?)</li>', re.DOTALL)
_REFERENCE = re.compile(r'<sup><a href="#((?:foot|end)note-[^"]*)"[^>]*>\[\d+\]</a></sup>')
_BACK = re.compile(r'<a href="#(?:foot|end)note-ref-[^"]*">[^<]*</a>')
_TAG = re.compile(r"<[^>]*>")


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a Word file; its title is its own, or else its first heading. Pictures and hidden text are left out.

    Raises:
        DocumentUnreadable: It is broken, built to do harm, or mammoth is not installed.
    """
    archive = Archive(data, path)
    title = archive.property("docProps/core.xml", "title")
    levels = heading_levels(archive.xml(STYLES)) if STYLES in archive.names else {}

    def headed(paragraph: Any) -> Any:
        level = levels.get(paragraph.style_id)
        return (
            paragraph.copy(style_id=f"Heading{level}", style_name=f"Heading {level}") if level else paragraph
        )

    with from_library("mammoth", path) as mammoth:
        page = mammoth.convert_to_html(
            io.BytesIO(without_hidden(data, archive)),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda _image: {}),
            transform_document=mammoth.transforms.paragraph(headed),
        ).value
    return to_document(read_page(_CELL.sub(_plain_cell, _with_notes(page)), path)[1], title)


def _with_notes(page: str) -> str:
    """Return a page whose foot and end notes stand in brackets where they are first referred to.

    At the end they would be under the last heading, and a reference's `[1]` would look like a citation.
    """
    notes = {
        found[1]: " ".join(_TAG.sub(" ", _BACK.sub("", found[2])).split()) for found in _NOTE.finditer(page)
    }

    def placed(reference: re.Match[str]) -> str:
        note = notes.pop(reference[1], "")
        return f" ({note})" if note else ""

    return _NOTE.sub("", _REFERENCE.sub(placed, page))


def _plain_cell(cell: re.Match[str]) -> str:
    """Return a table's cell without paragraphs in it: its row is one line."""
    return cell[0].replace("</p><p>", " ").replace("<p>", "").replace("</p>", "")
