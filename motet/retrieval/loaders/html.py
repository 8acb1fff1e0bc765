"""HTML: the main text as markdown, headings and tables kept, menus and footers left out.

trafilatura finds the main text. Where it finds none, as on a page that is one table, all text is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import lxml.etree
import lxml.html
import trafilatura

from motet.retrieval.decode import clean, decode
from motet.retrieval.loaders import markdown
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

MAX_HTML_BYTES = 10_000_000
MAX_DEPTH = 400
"""Deeper trees are refused: what walks them recursively would not come back."""

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_SILENT = frozenset({"script", "style", "noscript", "template", "head", "nav", "svg", "iframe"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_LEVELS = {f"h{level}": level for level in range(1, 7)}


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load HTML; its title is the page's, or else the first heading.

    Raises:
        DocumentUnreadable: It is too large, nested too deeply, or no HTML.
    """
    if len(data) > MAX_HTML_BYTES:
        raise unreadable(
            path, f"{len(data):,} bytes of HTML are too many", f"At most {MAX_HTML_BYTES:,} are read."
        )
    declared = _CHARSET.search(data[:4096])
    source = decode(data, path, declared=_encoding(declared[1]) if declared else None)
    tree = _parse(source, path)
    title = " ".join(str(tree.findtext(".//title") or "").split())[: markdown.MAX_HEADING_CHARS]
    loaded = markdown.from_text(clean(_main_text(tree) or _all_text(tree)))
    return type(loaded)(loaded.text, title or loaded.title, loaded.sections)


def _encoding(name: bytes) -> str:
    """Return what browsers take a declared encoding for: GB names are GB18030, Latin-1 is Windows-1252."""
    lower = name.decode("ascii").lower()
    return {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "ascii": "cp1252"}.get(
        lower, lower
    )


def _parse(source: str, path: Path) -> Any:
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(_DECLARATION.sub("", source).encode(), parser=parser)
    except (lxml.etree.LxmlError, ValueError, AssertionError) as error:
        raise unreadable(path, f"it is not HTML that can be read ({error})", "Save the page again.") from None
    if _too_deep(tree):
        raise unreadable(
            path, f"its elements are nested more than {MAX_DEPTH} deep", "Save the page's text instead."
        )
    return tree


def _too_deep(tree: Any) -> bool:
    depth = 0
    for event, _ in lxml.etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _main_text(tree: Any) -> str:
    """Return the main text as markdown; "" when there is none."""
    return (
        trafilatura.extract(
            tree,
            output_format="markdown",
            include_comments=False,
            include_formatting=False,
            include_tables=True,
            favor_recall=True,
            with_metadata=False,
        )
        or ""
    )


def _all_text(tree: Any) -> str:
    """Return every visible text, a line for each block, headings marked as in markdown."""
    pieces: list[str] = []
    silent = 0
    for event, element in lxml.etree.iterwalk(tree, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            silent += tag in _SILENT
            if not silent:
                mark = "\n" + "#" * _LEVELS[tag] + " " if tag in _LEVELS else "\n" if tag in _BLOCKS else ""
                pieces.append(mark + " ".join((element.text or "").split()) + " ")
        else:
            silent -= tag in _SILENT
            if not silent:
                end = "\n" if tag in _BLOCKS else " | " if tag in {"td", "th"} else ""
                pieces.append(end + " ".join((element.tail or "").split()) + " ")
    lines = (" ".join(line.split()) for line in "".join(pieces).splitlines())
    return "\n".join(line for line in lines if line)
