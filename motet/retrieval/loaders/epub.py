"""EPUB books: the chapters in their order, with their headings. The book is unzipped here: no library is needed."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from motet.retrieval.decode import decode
from motet.retrieval.loaders.archive import Archive
from motet.retrieval.loaders.html import read_page
from motet.retrieval.loaders.html_blocks import Block, to_document
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

CONTAINER = "META-INF/container.xml"
"""Where a book says which of its files lists the others (EPUB 3.3, section 4.2.6.3)."""

MAX_CHAPTERS = 5_000


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a book; its title is its own.

    Raises:
        DocumentUnreadable: It is no EPUB, broken, built to do harm, or locked.
    """
    archive = Archive(
        data, path, no_dtd=False
    )  # chapters may begin with XHTML's DOCTYPE; they are read as HTML
    roots = [element for element in archive.xml(CONTAINER).iter() if _bare(element.tag) == "rootfile"]
    if not roots:
        raise unreadable(path, "it is no EPUB: no file lists its chapters", "Get it again.")
    package = roots[0].get("full-path", "")
    chapters = _chapters(archive, package)
    blocks: list[Block] = []
    for name in chapters[:MAX_CHAPTERS]:
        if name not in archive.names:
            continue
        title, found = read_page(decode(archive.read(name), path, declared="utf-8"), path)
        if found and not found[0].level:
            blocks.append(Block(title, level=1))
        blocks += found
    return to_document(blocks, archive.property(package, "title"))


def _chapters(archive: Archive, package: str) -> list[str]:
    """Return the names of the chapters' files in reading order."""
    files: dict[str, str] = {}
    order: list[str] = []
    for element in archive.xml(package).iter():
        tag = _bare(element.tag)
        if tag == "item" and "html" in element.get("media-type", ""):
            name = posixpath.join(posixpath.dirname(package), unquote(element.get("href", "")))
            files[element.get("id", "")] = posixpath.normpath(name)
        elif tag == "itemref":
            order.append(element.get("idref", ""))
    return [files[name] for name in dict.fromkeys(order) if name in files]


def _bare(tag: object) -> str:
    return str(tag).rpartition("}")[2]
