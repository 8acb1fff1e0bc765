"""A file of weights on its way: it grows at its end, is hashed as it grows, and survives a kill.

What does not live here: where the bytes come from (`weights_hub`, `weights_index`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Protocol, Self

from motet.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CHUNK_BYTES = 1 << 20
SPARE_BYTES = 64 << 20
"""Room that is left free on the disk."""


class SourceError(Exception):
    """One source does not have the file. Its text is the reason, in one line; it never leaves a fetch."""


class Progress(Protocol):
    """Watches a fetch. Both methods return at once; they are called on the fetching event loop's thread."""

    def update(self, phase: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far it is; `phase` is a short text like `package index`."""
        ...

    def notice(self, text: str) -> None:
        """Show one line that stays."""
        ...


class Silent:
    """A `Progress` that shows nothing."""

    def update(self, phase: str, done_bytes: int, total_bytes: int) -> None:
        """Ignore it."""

    def notice(self, text: str) -> None:
        """Ignore it."""


class Partial:
    """A file that grows at its end, with the SHA-256 of all its bytes so far.

    Each source has a partial file of its own: bytes of two sources are never mixed. Every method blocks: call
    them in a thread.
    """

    def __init__(self, path: Path, *, keep: int, limit: int) -> None:
        """Open `path` and keep its first `keep` bytes, hashed again; it must never be longer than `limit`.

        When the file is shorter than `keep`, or `keep` is over the limit, nothing is kept.
        """
        self.path = path
        self.limit = limit
        self.size = 0
        self._hash = hashlib.sha256()
        self._file = path.open("r+b" if path.exists() else "w+b")
        if keep <= limit and path.stat().st_size >= keep:
            self._take(keep)
        self._file.truncate(self.size)
        self.kept = self.size
        """Bytes that were there already."""

    @property
    def missing(self) -> int:
        """Bytes that are still to come."""
        return self.limit - self.size

    def append(self, chunk: bytes | bytearray) -> None:
        """Write `chunk` at the end.

        Raises:
            SourceError: The file would be longer than it may be.
        """
        if len(chunk) > self.missing:
            raise SourceError(f"it sends more than the {self.limit:,} bytes of the file")
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def reset(self) -> None:
        """Begin again with no bytes."""
        self._file.seek(0)
        self._file.truncate(0)
        self._hash, self.size, self.kept = hashlib.sha256(), 0, 0

    def flush(self) -> None:
        """Put every byte so far on the disk."""
        self._file.flush()
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(self._file.fileno())

    def hexdigest(self) -> str:
        """Return the SHA-256 of the bytes so far."""
        return self._hash.hexdigest()

    def _take(self, keep: int) -> None:
        while self.size < keep:
            chunk = self._file.read(min(CHUNK_BYTES, keep - self.size))
            self._hash.update(chunk)
            self.size += len(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def check_space(folder: Path, needed_bytes: int) -> None:
    """Check that `needed_bytes` more fit on the disk of `folder`, with some room to spare.

    Raises:
        WeightsError: They do not; the message has both numbers.
    """
    free = shutil.disk_usage(folder).free
    if needed_bytes > 0 and free < needed_bytes + SPARE_BYTES:
        raise WeightsError(
            f"The disk of {folder} has {free:,} bytes free, and {needed_bytes + SPARE_BYTES:,} are needed. "
            "Free some, or set MOTET_CACHE to a folder on another disk.",
            folder=str(folder),
            needed_bytes=needed_bytes + SPARE_BYTES,
            free_bytes=free,
        )


def translate(error: OSError, folder: Path) -> WeightsError:
    """Return the error that says what the file system's error means for a fetch."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(folder).free
        return WeightsError(
            f"The disk of {folder} is full ({free:,} bytes free). What was fetched is kept: free some space "
            "and run `motet models pull` again, or set MOTET_CACHE to a folder on another disk.",
            folder=str(folder),
            free_bytes=free,
        )
    return WeightsError(
        f"The weights cannot be kept in {folder}: {error.strerror or error}. Set MOTET_CACHE to a folder "
        "that can be written.",
        folder=str(folder),
    )
