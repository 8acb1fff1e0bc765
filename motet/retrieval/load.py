"""Files to documents: which loader reads which ending, and what is refused before a loader sees it.

What does not live here: any format (`loaders`) and finding files (`walk`). A new format is one file in
`loaders` and one line in `LOADERS`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from motet.errors import DocumentUnreadable
    from motet.retrieval.base import LoadedDocument

_CODE = """
bash c cc cfg cpp cs css go h hpp ini java js json jsx kt lua php pl proto ps1 py pyi r rb rs scala sh sql swift toml ts
tsx vue xml yaml yml
"""

LOADERS: dict[str, str] = {
    **{f".{ending}": "motet.retrieval.loaders.code:load" for ending in _CODE.split()},
    ".csv": "motet.retrieval.loaders.csv:load",
    ".docx": "motet.retrieval.loaders.docx:load",
    ".eml": "motet.retrieval.loaders.mail:load",
    ".epub": "motet.retrieval.loaders.epub:load",
    ".htm": "motet.retrieval.loaders.html:load",
    ".html": "motet.retrieval.loaders.html:load",
    ".log": "motet.retrieval.loaders.text:load",
    ".markdown": "motet.retrieval.loaders.markdown:load",
    ".md": "motet.retrieval.loaders.markdown:load",
    ".pdf": "motet.retrieval.loaders.pdf:load",
    ".pptx": "motet.retrieval.loaders.pptx:load",
    ".rst": "motet.retrieval.loaders.text:load",
    ".text": "motet.retrieval.loaders.text:load",
    ".tsv": "motet.retrieval.loaders.csv:load",
    ".txt": "motet.retrieval.loaders.text:load",
    ".xhtml": "motet.retrieval.loaders.html:load",
    ".xlsx": "motet.retrieval.loaders.xlsx:load",
}
"""The loader of each ending, in lower case: `load(data: bytes, path: Path) -> LoadedDocument`."""

MAX_TEXT_CHARS = 10_000_000
"""Longest text of one document; a format that packs more is refused."""

_ZIPPED = frozenset({".docx", ".epub", ".pptx", ".xlsx"})
_OLD_OFFICE = "an old office document"
_MAGIC = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip file (perhaps an office document)",
    b"\x89PNG": "a picture",
    b"GIF8": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "a gzip file",
    b"\x7fELF": "a program",
    b"\xd0\xcf\x11\xe0": _OLD_OFFICE,
}
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""Name of the stream that holds an office file with a password. Source: [MS-OFFCRYPTO] 2.3.4."""


class Version(NamedTuple):
    """What a server calls a version of a page, in the words of its headers; "" where it does not say."""

    etag: str = ""
    last_modified: str = ""


NO_VERSION = Version()


@dataclass(frozen=True, slots=True)
class FileBytes:
    """What was read of a file."""

    data: bytes
    content_hash: str
    """SHA-256 of the bytes, in hexadecimal."""
    modified_at: float
    """Unix seconds."""
    version: Version = NO_VERSION
    """Of a page."""


def is_known(path: Path) -> bool:
    """Say whether a loader reads files with this ending."""
    return path.suffix.lower() in LOADERS


def unknown_ending(path: Path) -> DocumentUnreadable:
    """Return the refusal of a file that nothing reads."""
    ending = f"the ending '{path.suffix}' is unknown" if path.suffix else "it has no ending"
    return unreadable(path, ending, f"Known are: {', '.join(sorted(LOADERS))}.")


def read_bytes(path: Path, *, max_bytes: int) -> FileBytes:
    """Read a regular file, and never more than `max_bytes` of it.

    Raises:
        DocumentUnreadable: It is not there, not a regular file, not allowed, empty, or too large.
    """
    if not _has_utf8_name(path):
        raise unreadable(path, "its name is not valid UTF-8", "Rename it.")
    try:
        # O_NONBLOCK: opening a named pipe must not wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise unreadable(path, "it is not a regular file", "Name a file or a folder.")
            data = file.read(max_bytes + 1) if status.st_size <= max_bytes else b""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise unreadable(
            path, f"it cannot be opened: {reason or error}", "Check its name and rights."
        ) from None
    return _checked(data, path, max(status.st_size, len(data)), status.st_mtime, max_bytes)


def given_bytes(data: bytes, path: Path, *, max_bytes: int) -> FileBytes:
    """Take bytes for a file that is not on the disk yet.

    Raises:
        DocumentUnreadable: They are none, or too many.
    """
    return _checked(data, path, len(data), time.time(), max_bytes)


def _checked(data: bytes, path: Path, size_bytes: int, modified_at: float, max_bytes: int) -> FileBytes:
    if size_bytes > max_bytes:
        size = size_bytes / 1e6
        raise unreadable(
            path,
            f"{size:.1f} MB are more than the {max_bytes / 1e6:g} MB that are taken in",
            "Split it, or set MOTET_MAX_FILE_MB.",
        )
    if not data.strip():
        raise unreadable(path, "the file is empty", "There is nothing to search in it.")
    return FileBytes(data, hashlib.sha256(data).hexdigest(), modified_at)


def load_document(data: bytes, path: Path) -> LoadedDocument:
    """Turn a file's bytes into a document with a title. Blocking and CPU-bound: call it on a thread.

    Raises:
        DocumentUnreadable: Its bytes are not what its ending says, or its loader cannot read them.
    """
    ending = path.suffix.lower()
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if (
        kind
        and not (ending == ".pdf" and kind == "a PDF")
        and not (ending in _ZIPPED and kind.startswith("a zip"))
    ):
        raise _other_kind(data, path, kind)
    module, _, function = LOADERS[ending].partition(":")
    loader: Callable[[bytes, Path], LoadedDocument] = getattr(import_module(module), function)
    try:
        loaded = loader(data, path)
    except (RecursionError, MemoryError):
        raise unreadable(
            path, "it is built so that reading it takes too much", "Save its text instead."
        ) from None
    if len(loaded.text) > MAX_TEXT_CHARS:
        raise unreadable(
            path, f"its text has {len(loaded.text):,} characters", f"{MAX_TEXT_CHARS:,} are taken at most."
        )
    if not any(section.text.strip() for section in loaded.sections):
        raise unreadable(path, "it holds no text", "There is nothing to search in it.")
    return replace(loaded, title=loaded.title.strip() or _name_title(path))


def _other_kind(data: bytes, path: Path, kind: str) -> DocumentUnreadable:
    """Return the refusal of bytes that are not what their ending says."""
    ending = path.suffix.lower()
    if kind == _OLD_OFFICE and ending in _ZIPPED:
        # A password makes an office file one of the old kind, with the new one encrypted inside.
        if _ENCRYPTED in data:
            return unreadable(path, "it is encrypted", "Save a copy without a password and add that.")
        return unreadable(path, f"it is {kind}", f"Save it as {ending} with an office program of today.")
    return unreadable(
        path, f"it is {kind}, not what its ending '{path.suffix}' says", "Give it its right ending."
    )


def _has_utf8_name(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_title(path: Path) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in path.stem).split())
