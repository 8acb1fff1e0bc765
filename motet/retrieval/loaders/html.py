"""HTML: the main text as markdown, headings and tables kept, menus and footers left out.

trafilatura finds the main text. Where it finds none, as on a page that is one table, all text is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import lxml.etree
import lxml.html
import trafilatura

from motet.retrieval.base import LoadedDocument
from motet.retrieval.decode import clean, decode
from motet.retrieval.loaders import markdown
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from pathlib import Path

MAX_HTML_BYTES = 5_000_000
"""A page of many small elements takes about 4 s for each megabyte."""

MAX_ATTRIBUTES = 1_000
"""Of one element; the parser's time grows with the square of their number."""

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_CODE = re.compile(r"<(script|style)\b", re.IGNORECASE)
_SILENT = frozenset({"script", "style", "noscript", "template", "head", "nav", "svg", "iframe"})
_BLOCKS = frozenset(
    {
        *(
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
            "header",
        ),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
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
        ),
    }
)
_LEVELS = {f"h{level}": level for level in range(1, 7)}

# What browsers take a declared encoding for.
_TAKEN_FOR = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
}


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load HTML; its title is the page's, or else the first heading.

    Raises:
        DocumentUnreadable: It is too large, built to be slow, or no HTML.
    """
    if len(data) > MAX_HTML_BYTES:
        raise unreadable(
            path, f"{len(data):,} bytes are too many for HTML", f"{MAX_HTML_BYTES:,} are read at most."
        )
    declared = _CHARSET.search(data[:4096])
    tree = _parse(
        _without_code(decode(data, path, declared=_encoding(declared[1]) if declared else None)), path
    )
    title = " ".join(str(tree.findtext(".//title") or "").split())[: markdown.MAX_HEADING_CHARS]
    loaded = markdown.from_text(clean(_text(tree)))
    return LoadedDocument(loaded.text, title or loaded.title, loaded.sections)


def _encoding(name: bytes) -> str:
    lower = name.decode("ascii").lower()
    return _TAKEN_FOR.get(lower, lower)


def _without_code(source: str) -> str:
    """Take scripts and styles out, in one pass; what follows one that never ends is gone with it."""
    kept: list[str] = []
    at = 0
    while opened := _CODE.search(source, at):
        kept.append(source[at : opened.start()])
        closed = re.compile(rf"</{opened[1]}\s*>", re.IGNORECASE).search(source, opened.end())
        if closed is None:
            return "".join(kept)
        at = closed.end()
    return "".join([*kept, source[at:]])


def _parse(source: str, path: Path) -> Any:
    for tag in source.split("<"):
        if len(tag) > MAX_ATTRIBUTES and tag.partition(">")[0].count("=") > MAX_ATTRIBUTES:
            raise unreadable(path, f"an element has over {MAX_ATTRIBUTES:,} attributes", _SAVE_TEXT)
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(_DECLARATION.sub("", source, count=1).encode(), parser=parser)
    except (lxml.etree.LxmlError, ValueError, AssertionError) as error:
        raise unreadable(path, f"it is not HTML that can be read ({error})", "Save the page again.") from None
    if any(entry.type == lxml.etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise unreadable(path, "its elements are nested too deeply", _SAVE_TEXT)
    return tree


_SAVE_TEXT = "Save the page's text instead."


def _text(tree: Any) -> str:
    """Return the main text; all text where there is no main one, or where its headings came out as paragraphs."""
    everything = _all_text(tree)
    headings = {" ".join(element.text_content().split()) for element in tree.iter(*_LEVELS)}
    main = _main_text(tree)
    return everything if headings.intersection(main.splitlines()) else main or everything


def _main_text(tree: Any) -> str:
    """Return the main text as markdown; "" when there is none."""
    found = trafilatura.extract(
        tree,
        output_format="markdown",
        include_comments=False,
        include_formatting=True,  # without it headings are plain lines
        include_tables=True,
        favor_recall=True,
        with_metadata=False,
    )
    return found or ""


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
