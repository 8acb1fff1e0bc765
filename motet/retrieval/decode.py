"""Bytes to clean text: which encoding it is, and what has no place in a document's text.

What does not live here: what the text means (the loaders), and encodings that nothing tells of (`guess`).
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from motet.retrieval.guess import guess
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

# Control characters, zero-width spaces, direction overrides, tag characters and what is no character at all:
# nobody sees them, a model reads them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)

_SAMPLE_BYTES = 64 * 1024

# What browsers take a declared encoding for.
_TAKEN_FOR = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
}


def decode(data: bytes, path: Path, *, declared: str | None = None) -> str:
    """Decode a document and clean it: lines end in one newline, unseen characters are gone.

    A byte order mark decides; then what the document declares; then UTF-8 and UTF-16 without a mark are tried, and
    at last the encodings of single languages, each taken only when the text looks like it (`guess`).

    Raises:
        DocumentUnreadable: The bytes are no text, or in none of these encodings.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            marked = _strict(data, encoding)
            return _refuse(path) if marked is None else clean(marked)
    if b"\0" in data:
        encoding = _utf16_without_mark(data)
        return clean((_strict(data, encoding) if encoding else None) or _refuse(path))
    for encoding in (declared, "utf-8"):
        text = _strict(data, encoding) if encoding else None
        if text is not None:
            return clean(_checked(text, path))
    text = guess(data)
    return _refuse(path) if text is None else clean(_checked(text, path))


def taken_for(name: str) -> str:
    """Return the encoding that browsers read a declared one as."""
    lower = name.lower()
    return _TAKEN_FOR.get(lower, lower)


def told(data: bytes, charset: str) -> bytes:
    """Return text that a server says the charset of so that it is read in that, whatever it says itself.

    As in browsers, what the server says comes before what a page says. What is UTF-8, begins with a byte order mark
    or cannot be in that charset stays as it is.
    """
    if not charset or any(data.startswith(mark) for mark, _ in _BOMS) or _strict(data, "utf-8") is not None:
        return data
    text = _strict(data, taken_for(charset))
    return data if text is None else codecs.BOM_UTF8 + text.encode("utf-8", "replace")


def clean(text: str) -> str:
    r"""Return text whose lines end in `\n`, without characters that nobody sees."""
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))


def is_in(data: bytes) -> Callable[[str], bool]:
    """Return what says whether data is text in an encoding."""
    return lambda encoding: _strict(data, encoding) is not None


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _utf16_without_mark(data: bytes) -> str | None:
    """Guess the byte order: in most scripts' text one half of the pairs is often zero, or line ends tell."""
    sample = data[:_SAMPLE_BYTES]
    if len(data) % 2:
        return None
    even, odd = sample[0::2], sample[1::2]
    few, many = len(even) * 0.05, len(even) * 0.2
    if even.count(0) <= few and odd.count(0) >= many:
        return "utf-16-le"
    if odd.count(0) <= few and even.count(0) >= many:
        return "utf-16-be"
    return None


def _checked(text: str, path: Path) -> str:
    """Refuse bytes that decode but are no text: many control characters."""
    sample = text[:_SAMPLE_BYTES]
    control = sum(1 for character in sample if character < " " and character not in "\t\n\r\f")
    return _refuse(path) if control > len(sample) * 0.02 else text


def _refuse(path: Path) -> str:
    raise unreadable(
        path, "it is not text in an encoding that is known", "Save it as UTF-8 and add it again."
    )
