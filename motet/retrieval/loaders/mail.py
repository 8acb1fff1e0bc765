"""E-mail (`.eml`): who wrote what to whom and when, and the message's text; attachments are named only."""

from __future__ import annotations

import email
import email.policy
import re
from typing import TYPE_CHECKING

from motet.errors import DocumentUnreadable
from motet.retrieval.decode import decode, taken_for
from motet.retrieval.loaders import html
from motet.retrieval.loaders.assemble import Assembly
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

MAX_PARTS = 1_000
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_GB2312 = re.compile(rb"=\?(?:gb2312|gbk)\?", re.IGNORECASE)
_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a message; its title is its subject.

    Raises:
        DocumentUnreadable: It has too many parts, or no text.
    """
    if data.lower().count(b"content-type:") > MAX_PARTS:
        raise unreadable(path, f"it has more than {MAX_PARTS:,} parts", "Save its text instead.")
    message: EmailMessage = email.message_from_bytes(_declared(data, path), policy=email.policy.default)  # pyright: ignore[reportAssignmentType]
    if not message.keys():
        raise unreadable(path, "it is no e-mail: it has no headers", "Save the message again.")
    subject = " ".join(_header(message, "Subject").split())
    made = Assembly()
    told = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    names = [f"Attachment: {name}" for name in _attachments(message)]
    made.add("\n".join([*told, *names]), subject)
    for text in _bodies(message, path):
        made.add(text, subject)
    return made.document(subject)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))[:2000]
    except (
        ValueError,
        LookupError,
        AttributeError,
        IndexError,
        TypeError,
    ):  # what the parser of headers trips over
        return ""


def _declared(data: bytes, path: Path) -> bytes:
    """Return a message whose headers say what they are in: many programs write them raw, and GBK as GB2312."""
    end = _HEAD_END.search(data)
    at = end.start() if end else len(data)
    head = _GB2312.sub(b"=?gb18030?", data[:at])
    if not head.isascii():
        head = _text(head, "", path).encode()
    return head + data[at:]


def _bodies(message: EmailMessage, path: Path) -> Iterator[str]:
    """Yield the texts to read: of alternatives the plain one, of HTML what is seen of it."""
    plain = [part for part in message.walk() if _is_body(part, "text/plain")]
    for part in plain or [part for part in message.walk() if _is_body(part, "text/html")]:
        held = part.get_payload(decode=True)
        if not isinstance(held, bytes):
            continue
        text = _text(held, part.get_content_charset() or "", path)
        if part.get_content_type() == "text/html":
            text = "\n".join(block.text for block in html.read_page(text, path)[1])
        yield text


def _text(data: bytes, charset: str, path: Path) -> str:
    """Return text in the encoding that is declared, or else in the one it looks like; with gaps where it is in none."""
    try:
        return decode(data, path, declared=taken_for(charset) if charset else None)
    except DocumentUnreadable:
        return data.decode("utf-8", "replace")


def _is_body(part: object, kind: str) -> bool:
    return (
        part.get_content_type() == kind  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        and part.get_content_disposition() != "attachment"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    )


def _attachments(message: EmailMessage) -> Iterator[str]:
    for part in message.walk():
        name = part.get_filename()
        if name and part.get_content_disposition() == "attachment":
            yield " ".join(str(name).split())[:200]
