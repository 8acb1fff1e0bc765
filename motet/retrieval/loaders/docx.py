"""Word files: headings, paragraphs, lists and tables, read by mammoth."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from motet.retrieval.loaders.archive import Archive
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


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a Word file; its title is its own, or else its first heading. Pictures are left out.

    Raises:
        DocumentUnreadable: It is broken, built to do harm, or mammoth is not installed.
    """
    archive = Archive(data, path)
    title = archive.property("docProps/core.xml", "title")
    with from_library("mammoth", path) as mammoth:
        page = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda _image: {}),
        ).value
    return to_document(read_page(_CELL.sub(_plain_cell, page), path)[1], title)


def _plain_cell(cell: re.Match[str]) -> str:
    """Return a table's cell without paragraphs in it: its row is one line."""
    return cell[0].replace("</p><p>", " ").replace("<p>", "").replace("</p>", "")
