"""Which files a caller's paths mean: folders are walked, hidden files and links that lead out are left."""

from __future__ import annotations

import errno
import os
import stat
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


class Walked(NamedTuple):
    """What a walk saw."""

    files: list[FoundFile]
    closed: dict[Path, str]
    """Folders of which it is not known what they hold, and why: no rights, or a disk that gave an error."""


def find_files(paths: Sequence[Path]) -> Walked:
    """Return the files of `paths`, each once, a folder's in the order of their names.

    A file that is named is returned though it is hidden, or not there: reading it tells what is wrong. In a
    folder, hidden files and folders are passed over, and so are links whose target is outside of it.
    """
    found: dict[Path, FoundFile] = {}
    closed: dict[Path, str] = {}
    for path in paths:
        whole = whole_path(path)
        if not is_folder(whole):
            found.setdefault(whole, FoundFile(whole, named=True))
            continue
        for file in _walk(whole, whole, 0, closed):
            found.setdefault(file, FoundFile(file, named=False))
    return Walked(list(found.values()), closed)


def _walk(folder: Path, root: Path, depth: int, closed: dict[Path, str]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        closed[folder] = _reason(error)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        target = Path(entry.path)
        if entry.is_symlink():
            target = whole_path(target)
            if not target.is_relative_to(root) or is_folder(target):
                continue  # a folder inside is walked anyway, under its own name
        try:
            mode = _mode(target)
        except OSError as error:  # its name is listed, and no more is told of it
            closed.setdefault(folder, _reason(error))
            continue
        if stat.S_ISDIR(mode):
            if depth < MAX_DEPTH:
                yield from _walk(target, root, depth + 1, closed)
        elif stat.S_ISREG(mode):
            yield target


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder; one that may not be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _mode(path: Path) -> int:
    """Return what a path is, as `stat` tells it; 0 where there is nothing, as at the end of a broken link."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if error.errno in _NOTHING:
            return 0
        raise


_NOTHING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def whole_path(path: Path) -> Path:
    """Return a path that is absolute, its links resolved as far as they can be."""
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name with a NUL
        return path.absolute()
