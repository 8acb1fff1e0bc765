"""Opening a file that must lie beneath a folder: the one way from a stranger's path to an open file.

The path is never checked first and opened later, since it may change in between: the kernel resolves it and
refuses whatever leads out (`openat2`), or each folder on the way is opened by itself, from the one above it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import sys

from motet.errors import InvalidInput, NotFound, PermissionRefused

_SYS_OPENAT2 = 437
"""The system call's number, the same on every Linux architecture."""
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_RACE_RETRIES = 8
"""The kernel answers EAGAIN when a folder on the way was renamed while it looked."""

SUPPORTED = os.open in os.supports_dir_fd
"""Whether this platform can open a file from an open folder at all (Windows cannot)."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root_fd: int, path: str, *, folder: bool = False, kernel: bool = True) -> int:
    """Open a regular file (or a folder) beneath a folder, for reading.

    Args:
        root_fd: Descriptor of the open folder; it stays open.
        path: Relative, with `/` between names. `.` and doubled slashes are harmless.
        folder: Open a folder, and no file; `.` is the folder itself.
        kernel: Use `openat2` where the kernel has it; the walk over folders is taken otherwise.

    Returns:
        A descriptor that the caller closes. It does not block and is not inherited.

    Raises:
        InvalidInput: The path is empty, holds a NUL or cannot be a name, or names no regular file
            (no folder, with `folder`); `fields["folder"]` says whether it names one.
        NotFound: There is no such file.
        PermissionRefused: The path is absolute, climbs with `..`, meets a symbolic link or another file
            system, or the file may not be read.

    Links are refused even where they stay inside, so that both ways agree.

    Source: openat2(2), RESOLVE_BENEATH.
    """
    names = _names(path)
    try:
        descriptor = _open_by_kernel(root_fd, "/".join(names)) if kernel else None
        if descriptor is None:
            descriptor = _open_by_walking(root_fd, names)
    except OSError as error:
        raise _explain(error, path) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    found, wanted = "a folder" if stat.S_ISDIR(mode) else "no regular file", "folder" if folder else "file"
    raise InvalidInput(f"'{path}' is {found}. Name a {wanted}.", path=path, folder=stat.S_ISDIR(mode))


def _names(path: str) -> list[str]:
    """Cut a path into the names on the way, refusing what can only be meant to lead out."""
    if not path or "\0" in path or any("\ud800" <= character <= "\udfff" for character in path):
        raise InvalidInput(f"{path[:60]!r} cannot be a file's path. Write a path such as notes/today.md.")
    if path.startswith("/"):
        raise PermissionRefused(f"'{path}' is absolute. Write it relative to the allowed folder.", path=path)
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise PermissionRefused(f"'{path}' leads out with '..'. Write it without.", path=path)
    return names or ["."]


def _flags() -> int:
    # O_NONBLOCK: opening a FIFO would wait for its writer.
    return os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def _open_by_kernel(root_fd: int, path: str) -> int | None:
    """Open with `openat2`; None where the kernel, or a sandbox around us, does not know it."""
    if sys.platform != "linux":
        return None
    how = _OpenHow(_flags(), 0, _BENEATH | _NO_MAGICLINKS | _NO_XDEV | _NO_SYMLINKS)
    libc = ctypes.CDLL(None, use_errno=True)
    code = 0
    for _ in range(_RACE_RETRIES):
        descriptor = libc.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(root_fd),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return int(descriptor)
        code = ctypes.get_errno()
        if code in (errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.EINVAL):
            return None
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code))


def _open_by_walking(root_fd: int, names: list[str]) -> int:
    """Open folder by folder, none of them a link, and arrive on the same file system."""
    with contextlib.ExitStack() as opened:
        folder = root_fd
        for name in names[:-1]:
            folder = os.open(name, _flags() | os.O_DIRECTORY, dir_fd=folder)
            opened.callback(os.close, folder)
        descriptor = os.open(names[-1], _flags(), dir_fd=folder)
        if os.fstat(descriptor).st_dev != os.fstat(root_fd).st_dev:
            os.close(descriptor)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return descriptor


def _explain(error: OSError, path: str) -> InvalidInput | NotFound | PermissionRefused:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return NotFound(f"There is no file '{path}' in the allowed folder.", path=path)
        case errno.ELOOP | errno.EMLINK:  # EMLINK: the BSDs' word for a link met with O_NOFOLLOW
            return PermissionRefused(f"'{path}' passes a link, and links are not followed.", path=path)
        case errno.EXDEV | errno.EAGAIN:
            return PermissionRefused(f"'{path}' leads out of the allowed folder.", path=path)
        case errno.EACCES | errno.EPERM:
            return PermissionRefused(f"'{path}' may not be read by this user.", path=path)
        case errno.ENAMETOOLONG:
            return InvalidInput(f"'{path[:60]}…' is too long for a file's path.", path=path)
        case _:
            return InvalidInput(f"'{path}' cannot be opened: {error.strerror}.", path=path)
