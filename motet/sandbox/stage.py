"""Shows the box folders that its user cannot walk to, since a folder above them is closed: `/root`, for example.

Only where Motet is root. This file is then run as a program, which imports nothing of Motet: in a mount namespace of
its own it puts each of those folders below `/tmp`, becomes the box's user for good, and then the program it is given.
What does not live here: the box itself, which is the same with it and without.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS of Linux's `sched.h`."""
_NO_SETUID, _NO_DEVICES, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
"""MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE of Linux's `sys/mount.h`."""
_PLACE = "/tmp"  # noqa: S108  # of the namespace, where nobody else writes
_FAILED = 126


@dataclass(frozen=True, slots=True)
class Stage:
    """How a box is started."""

    before: Sequence[str]
    """What comes in front of the command; empty for nothing."""
    shown: Sequence[str]
    """Where each folder is found by what is started."""
    uid: int | None
    """Whom the starter becomes at once; None stays who it is."""


def build_stage(folders: Iterable[Path], uid: int | None) -> Stage:
    """Return how to start a box that shows these folders to a user; None is Motet's own, who sees what Motet sees."""
    found = [folder.resolve() for folder in folders]
    if uid is None or all(map(_is_open, found)):
        return Stage([], [str(folder) for folder in found], uid)
    words = [str(uid), str(len(found)), *map(str, found)]
    shown = [f"{_PLACE}/{number}" for number in range(len(found))]
    return Stage([sys.executable, "-I", "-S", __file__, *words], shown, None)


def _is_open(path: Path) -> bool:
    """Say whether everybody can walk to a path."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in path.parents)


def main(words: Sequence[str]) -> None:
    """Become the program; status 126 when it cannot be. Words: user id, how many folders, each of them, the program."""
    uid, count = int(words[0]), int(words[1])
    folders, command = words[2 : 2 + count], words[2 + count :]
    try:
        _show(folders)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        os.execv(command[0], [*command])  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.stderr.write(f"its folders cannot be shown to user {uid}: {error}\n")
        sys.exit(_FAILED)


def _show(folders: Sequence[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, place: str, kind: str, flags: int, data: str = "") -> None:
        _check(libc.mount(source.encode(), place.encode(), kind.encode(), flags, data.encode()), place)

    _check(libc.unshare(_NEW_MOUNTS), "a mount namespace")
    mount("none", "/", "", _RECURSIVE | _PRIVATE)
    opened = [os.open(folder, os.O_PATH) for folder in folders]  # before /tmp is covered
    mount("none", _PLACE, "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=755,size=64k")
    for number, descriptor in enumerate(opened):
        place = Path(_PLACE, str(number))
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            place.mkdir()
        else:
            place.touch()
        mount(f"/proc/self/fd/{descriptor}", str(place), "", _BIND)


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


if __name__ == "__main__":
    main(sys.argv[1:])
