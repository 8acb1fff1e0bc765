"""Files that go with a message: `@report.md` and `@photo.png` in what the person wrote.

What does not live here: documents that are searched (`motet kb add`), and what is piped in (`motet.cli.question`).
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from motet.cli.question import with_material
from motet.errors import InvalidInput

PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Endings of pictures, each with its media type."""

MAX_BYTES = 2 * 1024 * 1024
"""Largest file that goes with a message: the gate takes 4 MiB in all, and a picture grows by a third in base64."""

_NAMED = re.compile(r'(?:(?<=\s)|^)@(?:"([^"]+)"|(\S+))')
"""`@path` at the beginning of a word, or `@"a path with blanks"`."""

Content = str | list[dict[str, Any]]
"""A message's content: its text, or blocks of text and pictures as OpenAI's wire has them."""


def content_of(text: str) -> Content:
    """Return what is sent for what a person wrote: the text with each file's below it, and pictures as blocks.

    A word with an @ that names no file is a word, such as a name.

    Raises:
        InvalidInput: A file is too large, cannot be read, or is neither text nor a picture.
    """
    pictures: list[dict[str, Any]] = []
    for path in named_files(text):
        data = _read(path)
        media_type = PICTURES.get(path.suffix.lower())
        if media_type is None:
            text = with_material(text, _decode(path, data), what=str(path))
        else:
            url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
            pictures.append({"type": "image_url", "image_url": {"url": url}})
    return [{"type": "text", "text": text}, *pictures] if pictures else text


def named_files(text: str) -> list[Path]:
    """Return the files that a text names, in its order, each once."""
    found = (Path(quoted or bare).expanduser() for quoted, bare in _NAMED.findall(text))
    return list(dict.fromkeys(path for path in found if _is_file(path)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no name for a file
        return False


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            f"{path} is longer than {MAX_BYTES:,} bytes. Take it in as a document: motet kb add {path}"
        )
    return data


def _decode(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidInput(
            f"{path} is neither UTF-8 text nor a picture. Take it in as a document: motet kb add {path}"
        )
    return text
