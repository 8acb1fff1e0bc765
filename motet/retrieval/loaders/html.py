"""HTML: the main text with its headings, lists and tables; menus, footers and what is hidden are left out.

The structure is read from the page itself, since extractors lose headings and code. Where the main text begins and
ends is said by the page (`<main>`), or else by trafilatura; where it finds nothing, all of the text is taken.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import lxml.etree
import lxml.html
import trafilatura

from motet.retrieval.decode import decode, is_in, taken_for
from motet.retrieval.loaders.html_blocks import MAX_HEADING_CHARS, Block, read_blocks, to_document
from motet.retrieval.loaders.html_tables import square
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

MAX_HTML_BYTES = 20_000_000

MAX_JUDGED_CHARS = 500_000
"""Longer pages are taken whole: trafilatura takes seconds for each megabyte, and they are no news articles."""

MAX_ATTRIBUTES = 1_000
"""Of one element; the parser's time grows with the square of their number."""

MAIN_SHARE = 0.3
"""What is marked or judged as main text counts when it is at least this part of all text."""

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_CODE = re.compile(r"<(script|style)\b", re.IGNORECASE)

_SAVE_TEXT = "Save the page's text instead."


def load(data: bytes, path: Path, *, declared: str = "") -> LoadedDocument:
    """Load HTML; its title is the page's, or else the first heading.

    Args:
        data: The page.
        path: Its name.
        declared: The encoding that its server told; comes before the page's own word, unless it cannot be.

    Raises:
        DocumentUnreadable: It is too large, built to be slow, or no HTML.
    """
    if len(data) > MAX_HTML_BYTES:
        raise unreadable(
            path, f"{len(data):,} bytes are too many for HTML", f"{MAX_HTML_BYTES:,} are read at most."
        )
    own = _CHARSET.search(data[:4096])
    named = [taken_for(name) for name in (declared, own[1].decode("ascii") if own else "") if name]
    source = _without_code(decode(data, path, declared=next(filter(is_in(data), named), None)))
    tree = _parse(source, path)
    title = " ".join(str(tree.findtext(".//title") or "").split())[:MAX_HEADING_CHARS]
    blocks = read_blocks(tree)
    return to_document(_marked_main(tree, blocks) or _judged_main(source, blocks) or blocks, title)


def read_page(source: str, path: Path) -> tuple[str, list[Block]]:
    """Return the title and the blocks of HTML inside of another format: all of it is main text.

    Raises:
        DocumentUnreadable: It is built to be slow, or no HTML.
    """
    if not source.strip():
        return "", []
    tree = _parse(_without_code(source), path)
    return " ".join(str(tree.findtext(".//title") or "").split())[:MAX_HEADING_CHARS], read_blocks(tree)


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
    square(tree)
    return tree


def _size(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _marked_main(tree: Any, everything: list[Block]) -> list[Block]:
    """Return what the page itself marks as its main text; [] where it marks nothing, or hardly any text."""
    marked = tree.xpath("//main | //*[@role='main']") or tree.xpath("//article")
    if len(marked) != 1:
        return []
    blocks = read_blocks(marked[0])
    return blocks if _size(blocks) >= MAIN_SHARE * _size(everything) else []


def _judged_main(source: str, everything: list[Block]) -> list[Block]:
    """Return the blocks from the first to the last that trafilatura takes for main text, with the headings above.

    What it leaves out between them stays: it loses headings, code and tables, and their figures are wanted.
    Returns [] where it finds hardly any text.
    """
    if len(source) > MAX_JUDGED_CHARS:
        return []
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it warns of its own second tries
    found = trafilatura.extract(source, include_comments=False, include_tables=True, favor_recall=True)
    main = "".join((found or "").replace("|", "").split())
    judged = [at for at, block in enumerate(everything) if not block.level and block.key in main]
    if not judged:
        return []
    first, last = judged[0], judged[-1]
    while first > 0 and everything[first - 1].level:
        first -= 1
    while last + 1 < len(everything) and everything[last + 1].is_row:
        last += 1
    kept = everything[first : last + 1]
    return kept if _size(kept) >= MAIN_SHARE * _size(everything) else []
