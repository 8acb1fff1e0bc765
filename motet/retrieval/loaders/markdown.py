"""Markdown: a section for each heading, with the path of the headings above it.

What does not live here: rendering. The text stays as it is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from motet.retrieval.base import HEADING_SEPARATOR, LoadedDocument, Section
from motet.retrieval.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_PARAGRAPH = re.compile(r"[ \t]*(?:$|[|>#<]|[-*+][ \t]|\d{1,9}[.)][ \t])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_TITLE = re.compile(r"title[ \t]*:[ \t]*(.*)", re.IGNORECASE)

MAX_HEADING_CHARS = 200


class _Heading(NamedTuple):
    level: int
    words: str
    start: int  # where its first line begins
    end: int  # where the text below it begins


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load markdown; its title is that of the front matter, or else the first heading."""
    return from_text(decode(data, path))


def from_text(text: str) -> LoadedDocument:
    """Cut markdown text into sections; what stands before the first heading has none above it."""
    title, body = _front_matter(text)
    path: list[tuple[int, str]] = []
    sections: list[Section] = []
    start = body
    for heading in [*_headings(text, body), _Heading(0, "", len(text), len(text))]:
        if text[start : heading.start].strip():
            above = HEADING_SEPARATOR.join(words for _, words in path if words)
            sections.append(Section(text[start : heading.start], start, above))
        path = [(level, words) for level, words in path if level < heading.level]
        path.append((heading.level, heading.words))
        title = title or heading.words
        start = heading.end
    return LoadedDocument(text, title, sections)


def _headings(text: str, body: int) -> Iterator[_Heading]:
    """Yield ATX (`## x`) and setext (underlined) headings outside fenced code."""
    fence = ""
    before: tuple[int, str] | None = None  # a line that an underline would make a heading
    start = body
    for line in text[body:].splitlines(keepends=True):
        end, content = start + len(line), line.rstrip("\n")
        mark = _FENCE.match(content)
        if fence:
            if mark and mark[1].startswith(fence) and not content[mark.end() :].strip():
                fence = ""
            before = None
        elif mark:
            fence, before = mark[1], None
        elif atx := _ATX.match(content):
            yield _Heading(len(atx[1]), _plain(atx[2] or ""), start, end)
            before = None
        elif before and (underline := _UNDERLINE.match(content)):
            yield _Heading(1 if "=" in underline[1] else 2, _plain(before[1]), before[0], end)
            before = None
        else:
            before = None if _NO_PARAGRAPH.match(content) or content.startswith("    ") else (start, content)
        start = end


def _plain(words: str) -> str:
    """Take the markup off a heading's words."""
    words = words.strip()
    bare = words.rstrip("#")
    if bare != words and (not bare or bare[-1] in " \t"):
        words = bare
    words = _LINK.sub(r"\1", words)
    return " ".join(words.replace("**", "").replace("__", "").replace("`", "").split())[:MAX_HEADING_CHARS]


def _front_matter(text: str) -> tuple[str, int]:
    """Return the front matter's title and where the body begins; `("", 0)` without front matter."""
    if not text.startswith("---\n"):
        return "", 0
    title, start = "", 4
    for line in text[4 : 4 + 20_000].splitlines(keepends=True):
        start += len(line)
        if line.rstrip() in {"---", "..."}:
            return title, start
        if found := _TITLE.match(line):
            title = found[1].strip().strip("\"'")[:MAX_HEADING_CHARS]
    return "", 0
