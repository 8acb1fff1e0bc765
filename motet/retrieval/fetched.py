"""Documents by their address: fetched by the one way out that the app gives, and named by what they are.

What does not live here: any client, and which addresses may be called.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from motet.errors import MotetError
from motet.retrieval.decode import told
from motet.retrieval.load import NO_VERSION, FileBytes, Version, is_known
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ENDINGS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "message/rfc822": ".eml",
    "application/json": ".json",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
"""What a media type is read as, where the address has no ending that is known."""


_NOT_MODIFIED = 304
_MAX_VERSION_CHARS = 500

_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*://", re.IGNORECASE)


class Answer(Protocol):
    """What came back from an address."""

    @property
    def status(self) -> int:
        """HTTP's."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    @property
    def body(self) -> bytes:
        """Unpacked."""
        ...

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        ...

    @property
    def charset(self) -> str:
        """The charset that was told, in lower case; "" where none was."""
        ...


class Fetch(Protocol):
    """The way out."""

    def __call__(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> Awaitable[Answer]:
        """Get an address, with these headers; a `MotetError` says why not."""
        ...


def is_address(place: str) -> bool:
    """Say whether a place is an address of the web."""
    return place.startswith(("http://", "https://"))


def has_scheme(place: str) -> bool:
    """Say whether a place is an address and no path, also one that is not fetched (`ftp://…`)."""
    return _SCHEME.match(place) is not None


async def read_address(
    fetch: Fetch | None,
    url: str,
    *,
    max_bytes: int,
    reads: Callable[[Path], bool] = is_known,
    known: Version = NO_VERSION,
) -> tuple[FileBytes, Path] | None:
    """Fetch a document; return its bytes, and a name whose ending says what it is, which `reads` says is read.

    None where its server says that it is still the known version, and sends nothing.

    Raises:
        DocumentUnreadable: It may not be called, does not answer, is empty or of no kind that is read; or there is no
            way out.
    """
    if not is_address(url):
        raise unreadable(url, "only http:// and https:// are fetched", "Save it as a file and name its path.")
    if fetch is None:
        raise unreadable(url, "addresses are not fetched here", "Save the page and add the file.")
    try:
        answer = await fetch(url, max_bytes=max_bytes, headers=_asking(known))
    except MotetError as error:
        raise unreadable(url, error.message.rstrip("."), "Check the address.") from None
    if answer.status == _NOT_MODIFIED and any(known):
        return None
    if answer.status != 200:
        raise unreadable(url, f"it answered with status {answer.status}", "Check the address.")
    if not answer.body.strip():
        raise unreadable(url, "its answer is empty", "There is nothing to search in it.")
    path = _named(url, answer.content_type)
    if not reads(path):
        kind = f"'{answer.content_type}'" if answer.content_type else "of no known type"
        raise unreadable(
            url, f"it is {kind}, which is not read", "Save it with its right ending, and add the file."
        )
    is_text = answer.content_type.startswith("text/") or path.suffix == ".html"
    body = told(answer.body, answer.charset) if is_text else answer.body
    return FileBytes(body, hashlib.sha256(answer.body).hexdigest(), 0.0, _version(answer.headers)), path


def _asking(known: Version) -> dict[str, str]:
    """Return the headers that ask for another version than the known one. Source: RFC 9110, section 13.1."""
    headers = {"if-none-match": known.etag, "if-modified-since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _version(headers: Mapping[str, str]) -> Version:
    """Return a page's version. A page that was changed in the second of its answer may change in it once more."""
    told = {name: headers.get(name, "").strip() for name in ("etag", "last-modified")}
    if told["last-modified"] == headers.get("date", "").strip():
        del told["last-modified"]
    kept = {
        name: value
        for name, value in told.items()
        if len(value) <= _MAX_VERSION_CHARS and value.isascii() and value.isprintable()
    }
    return Version(kept.get("etag", ""), kept.get("last-modified", ""))


def _named(url: str, content_type: str) -> Path:
    address = urlsplit(url)
    name = Path(PurePosixPath(unquote(address.path)).name or address.hostname or "page")
    ending = ENDINGS.get(content_type, "")
    if is_known(name) and (not ending or content_type == "text/plain"):
        return name
    return Path(f"{name}{ending}") if ending else name
