"""An HTML tree as a list of blocks, in the order they are read: headings, paragraphs, list items, table rows.

What does not live here: which part of a page is its main text (`html`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import lxml.etree

from motet.retrieval.base import HEADING_SEPARATOR, LoadedDocument, Section
from motet.retrieval.loaders import html_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_HEADING_CHARS = 200

_SILENT = frozenset(
    {
        *(
            "script",
            "style",
            "noscript",
            "template",
            "head",
            "nav",
            "aside",
            "footer",
            "svg",
            "math",
            "iframe",
        ),
        *("button", "select", "textarea", "object", "audio", "video", "canvas"),
    }
)
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "blockquote",
            "body",
            "caption",
            "dd",
            "details",
            "div",
            "dl",
            "dt",
            "fieldset",
        ),
        *(
            "figcaption",
            "figure",
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
        ),
        *("pre", "section", "summary", "table", "tr", "ul"),
    }
)
_TIGHT = frozenset({"br", "dd", "dt", "li", "tr"})
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_UNSEEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_CJK = "[\u2e80-\u303f\u3041-\u9fff\uf900-\ufaff\uff01-\uffee]"
_WRAPPED = re.compile(rf"(?<={_CJK})[ \t]*\n\s*(?={_CJK})")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that stands by itself."""

    text: str
    level: int = 0
    """1 to 6 for a heading, 0 for everything else."""
    tight: bool = False
    """Stands right below the block before it: a list item, a table row, a line."""
    table: int = 0
    """Of a row: which of the page's tables it is in, from 1."""
    cells: str = ""
    """Of a row: `th` where all of its cells are heads, `td` where none is, "" where some are."""
    begins: bool = False
    """A piece of a long table begins with it: a section of its own."""

    @property
    def key(self) -> str:
        """The text without its spaces, to find it in another rendering of the same page."""
        return "".join(self.text.removeprefix("- ").replace("|", "").split())

    @property
    def is_row(self) -> bool:
        """It is a table's row."""
        return self.tight and self.text.endswith(" |")


@dataclass(slots=True)
class _Reader:
    """Collects text until a block ends."""

    blocks: list[Block] = field(default_factory=list[Block])
    pieces: list[str] = field(default_factory=list[str])
    level: int = 0
    tight: bool = False
    verbatim: int = 0  # depth of <pre>
    tables: int = 0
    cells: set[str] = field(default_factory=set[str])

    def end_block(self, *, tight: bool = False) -> None:
        """Close the block that is open; `tight` is for the one that begins."""
        text = "".join(self.pieces)
        text = text.strip("\n") if self.verbatim else _one_line(text)
        if text == "-":
            return  # a list item whose text is in a block of its own
        if text.strip(" |-\n"):
            text = text[: MAX_HEADING_CHARS if self.level else None]
            cells = next(iter(self.cells)) if len(self.cells) == 1 else ""
            self.blocks.append(Block(text, self.level, self.tight, self.tables, cells))
        self.pieces.clear()
        self.cells.clear()
        self.tight = tight

    def start(self, tag: str, text: str) -> None:
        if tag in _BLOCKS or tag == "br":
            self.end_block(tight=tag in _TIGHT)
        self.verbatim += tag == "pre"
        self.tables += tag == "table"
        if tag in {"td", "th"}:
            self.cells.add(tag)
        self.level = _LEVELS.get(tag, self.level)
        self.pieces.append("- " + text if tag == "li" else text)

    def end(self, tag: str, tail: str) -> None:
        if tag in _BLOCKS:
            self.end_block()
        elif tag in {"td", "th"}:
            self.pieces.append(" | ")
        self.verbatim -= tag == "pre"
        if tag in _LEVELS:
            self.level = 0
        self.pieces.append(tail)


def read_blocks(root: Any) -> list[Block]:
    """Return the blocks below an element; menus, footers, scripts and what is hidden are left out."""
    reader = _Reader()
    silent = 0
    for event, element in lxml.etree.iterwalk(root, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        quiet = tag in _SILENT or _is_hidden(element)
        if event == "start":
            silent += quiet
            if not silent:
                reader.start(tag, element.text or "")
        else:
            if not silent:
                reader.end(tag, "" if element is root else element.tail or "")
            silent -= quiet
            if quiet and not silent and element is not root:
                reader.pieces.append(element.tail or "")
    reader.end_block()
    return reader.blocks


def to_document(blocks: Iterable[Block], title: str) -> LoadedDocument:
    """Join blocks to a document with a section for each heading that has text below it."""
    parts: list[str] = []
    held: list[str] = []  # of the section that is open
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    at = 0
    for block in [*_cut_tables(blocks), Block("", level=1)]:
        if block.level or block.begins:
            text = "".join(held)
            if text.strip():
                above = HEADING_SEPARATOR.join(words for _, words in path)
                sections.append(Section(text, at - len(text), above))
            held.clear()
        parts.append(("\n" if block.tight else "\n\n") * bool(parts) + block.text)
        at += len(parts[-1])
        if block.level:
            path = [(level, words) for level, words in path if level < block.level]
            path.append((block.level, block.text))
            title = title or block.text
        else:
            held.append(parts[-1])
    return LoadedDocument("".join(parts).rstrip(), title, sections)


def _cut_tables(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks, each piece of a long table with the heads of its columns."""
    for (is_row, _), group in groupby(blocks, key=lambda block: (block.is_row, block.table * block.is_row)):
        rows = list(group)
        pieces = html_tables.cut([row.text for row in rows], [row.cells for row in rows]) if is_row else []
        if len(pieces) < 2:
            yield from rows
            continue
        for piece in pieces:
            yield from (Block(text, tight=at > 0, begins=at == 0) for at, text in enumerate(piece))


def _one_line(text: str) -> str:
    return " ".join(_WRAPPED.sub("", text).split())


def _is_hidden(element: Any) -> bool:
    get = element.attrib.get
    return (
        get("hidden") is not None
        or get("aria-hidden") == "true"
        or get("role") == "navigation"
        or _UNSEEN_STYLE.search(get("style", "")) is not None
    )
