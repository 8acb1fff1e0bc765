"""Which files a caller's paths mean: folders are walked, hidden files and links that lead out are left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_DEPTH = 32
"""Folders deeper than this below the given one are not looked into."""


class FoundFile(NamedTuple):
    """A file to be taken in."""

    path: Path
    """Absolute, links resolved."""
    named: bool
    """The caller named the file itself; otherwise it was found in a folder."""


def find_files(paths: Sequence[Path]) -> list[FoundFile]:
    """Return the files of `paths`, each once, a folder's in the order of their names.

    A file that is named is returned though it is hidden, or not there: reading it tells what is wrong. In a
    folder, hidden files and folders are passed over, and so are links whose target is outside of it.
    """
    found: dict[Path, FoundFile] = {}
    for path in paths:
        whole = whole_path(path)
        if not is_folder(whole):
            found.setdefault(whole, FoundFile(whole, named=True))
            continue
        for file in _walk(whole, whole, 0):
            found.setdefault(file, FoundFile(file, named=False))
    return list(found.values())


def _walk(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # a folder that may not be read has no files for this caller
    for entry in entries:
        if entry.name.startswith("."):
            continue
        target = Path(entry.path)
        if entry.is_symlink():
            target = whole_path(target)
            if not target.is_relative_to(root) or is_folder(target):
                continue  # a folder inside is walked anyway, under its own name
        if is_folder(target):
            if depth < MAX_DEPTH:
                yield from _walk(target, root, depth + 1)
        elif _is_file(target):
            yield target


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder; one that may not be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def whole_path(path: Path) -> Path:
    """Return a path that is absolute, its links resolved as far as they can be."""
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name with a NUL
        return path.absolute()
