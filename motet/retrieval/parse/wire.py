"""What the parsing process is sent and what it answers: a length, a JSON head, and bytes after it.

What does not live here: pipes. The answers are another process's, which may have been taken over by what it read:
nothing in them is believed before it was checked.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from motet.retrieval.base import LoadedDocument, Section

PREFIX = struct.Struct(">IQ")
"""Bytes of the head, bytes of the body."""

MAX_HEAD_BYTES = 16 * 1024 * 1024
"""Headings and places of every section."""


class BrokenAnswer(ValueError):
    """An answer that no parser of ours gives."""


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    """Return a whole frame."""
    packed = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace")
    return PREFIX.pack(len(packed), len(body)) + packed + body


def document_frame(document: LoadedDocument, *, tired: bool) -> bytes:
    """Return the frame of a document; `tired` asks for a new process for the next one."""
    sections = [[s.start, s.start + len(s.text), s.heading, s.page] for s in document.sections]
    head = {"title": document.title, "sections": sections, "missing": document.missing, "tired": tired}
    return encode(head, document.text.encode("utf-8", "replace"))


def decode_head(head: bytes) -> dict[str, Any]:
    """Return an answer's head.

    Raises:
        BrokenAnswer: It is no JSON object.
    """
    try:
        found = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise BrokenAnswer(str(error)) from None
    if not isinstance(found, dict):
        raise BrokenAnswer("the head is no object")
    return found  # pyright: ignore[reportUnknownVariableType]


def to_document(head: dict[str, Any], body: bytes) -> LoadedDocument:
    """Return the document of an answer.

    Raises:
        BrokenAnswer: Something in it is of another shape, or lies outside of the text.
    """
    try:
        text = body.decode()
        sections = [_section(text, *place) for place in head["sections"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnswer(str(error)) from None
    title, missing = (str(head.get(name, ""))[:1000] for name in ("title", "missing"))
    return LoadedDocument(text, title, sections, missing)


def _section(text: str, start: int, end: int, heading: str, page: int | None) -> Section:
    if not 0 <= start <= end <= len(text):
        raise BrokenAnswer("a section outside of the text")
    return Section(text[start:end], start, str(heading), None if page is None else int(page))
