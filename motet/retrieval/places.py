"""What a caller's places mean: files, the files of folders, pages; and which of them are there no more.

What does not live here: walking a folder (`walk`) and remembering places (`roots`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from motet.retrieval.fetched import has_scheme
from motet.retrieval.reports import FileOutcome
from motet.retrieval.roots import lies_in
from motet.retrieval.unreadable import unreadable
from motet.retrieval.walk import find_files, is_folder, whole_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Found(NamedTuple):
    """A document that is to be taken in."""

    path: Path
    source: str
    """Its path or address as it is listed."""
    named: bool
    """The caller named it itself; otherwise it was found in a folder."""
    content: bytes | None = None
    """What it holds, where that is not on the disk yet."""


def place_name(place: Path | str) -> str:
    """Return a place as it is remembered: an address as it is, a path whole and with its links resolved."""
    return str(place) if has_scheme(str(place)) else str(whole_path(Path(place)))


def find(places: Iterable[Path | str]) -> tuple[list[Found], list[FileOutcome]]:
    """Return the documents of places, each once, and what is to be told of folders that cannot be looked into."""
    found: dict[str, Found] = {}
    closed: dict[Path, str] = {}
    for place in places:
        if has_scheme(str(place)):
            found.setdefault(str(place), Found(Path(str(place)), str(place), named=True))
            continue
        walked = find_files([Path(place)])
        closed |= walked.closed
        for file in walked.files:
            found.setdefault(str(file.path), Found(file.path, str(file.path), file.named))
    return list(found.values()), [_closed(folder, reason) for folder, reason in closed.items()]


def _closed(folder: Path, reason: str) -> FileOutcome:
    error = unreadable(
        folder, f"it cannot be looked into: {reason}", "Its documents are left as they are: check its rights."
    )
    return FileOutcome(folder, "failed", error=error, source=str(folder))


def look(places: Iterable[str], roots: Sequence[str]) -> tuple[list[str], list[str], list[FileOutcome]]:
    """Return the places that are there, those that are gone for good, and what is to be told of the others.

    A file is gone when its folder is there, and a folder when the remembered folder above it is. What is left may be
    on a disk that is not there just now: nothing of it must be taken out.
    """
    there: list[str] = []
    gone: list[str] = []
    told: list[FileOutcome] = []
    for place in places:
        path = Path(place)
        if not has_scheme(place) and (refusal := _refusal(path)):
            error = unreadable(
                path, f"it cannot be looked at: {refusal}", "Nothing was taken out: check its rights."
            )
            told.append(FileOutcome(path, "failed", error=error, source=place))
            continue
        above = [root for root in roots if root != place and lies_in(place, root)]
        if has_scheme(place) or path.exists():
            there.append(place)
        elif (path.suffix and is_folder(path.parent)) or any(is_folder(Path(root)) for root in above):
            gone.append(place)
        else:
            error = unreadable(path, "it is not there", "Nothing was taken out: 'motet kb rm' does that.")
            told.append(FileOutcome(path, "failed", error=error, source=place))
    return there, gone, told


def _refusal(path: Path) -> str:
    """Return why a place may not be looked at; "" where it may, or is not there."""
    try:
        is_closed = path.is_dir() and not os.access(path, os.R_OK | os.X_OK)
    except OSError as error:
        return error.strerror or str(error)
    return "Permission denied" if is_closed else ""
