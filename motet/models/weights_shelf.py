"""A model file's folder in the cache: the file, what is on its way, the lock, and which files were checked.

What does not live here: where bytes come from, and what is done when a file is wrong (`weights`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import shutil
import sys
from typing import TYPE_CHECKING, Any

from motet.errors import Conflict
from motet.models.weights_index import DOWNLOADS, record_path

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from motet.models.manifest import ModelFile
    from motet.models.weights_partial import Partial, Progress

log = logging.getLogger(__name__)

LOCK_POLL_S = 0.2


class Shelf:
    """`<cache>/models/<sha256>/`, shared by all projects and processes. Every method but `locked` blocks."""

    def __init__(self, file: ModelFile, cache: Path) -> None:
        self.file = file
        self.folder = cache / "models" / file.sha256
        self.path = self.folder / file.file
        """Where the file is when it is there; nothing unchecked ever has this name."""

    def is_right(self, path: Path) -> bool:
        """Say whether a file has the right SHA-256; one that has not changed since the last time is not read.

        Changes are seen by size, times and inode, kept in a stamp here: a user's own folder may be read-only.
        """
        with contextlib.suppress(OSError, ValueError):
            if json.loads(self._stamp_path(path).read_text("utf-8")) == self._facts(path):
                return True
        before = self._facts(path)
        if digest(path) != self.file.sha256:
            return False
        if self._facts(path) == before:
            self._stamp(path)
        return True

    def keep(self, partial: Partial) -> Path:
        """Give a whole file whose SHA-256 is right its name, and delete what other fetches left."""
        partial.path.chmod(0o444)
        partial.path.replace(self.path)
        self._stamp(self.path)
        for left in self.folder.glob(f"{self.file.file}.*.part*"):
            left.unlink()
        return self.path

    def throw_away(self, partial: Partial) -> None:
        """Delete a partial file."""
        partial.path.unlink(missing_ok=True)
        record_path(partial.path).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete the downloads of a process that was killed. Only who holds the lock may call this."""
        for left in self.folder.glob(f"{DOWNLOADS}*"):
            shutil.rmtree(left, ignore_errors=True)

    def clear(self) -> int:
        """Delete everything but the lock's own file, and return how many bytes that frees.

        Raises:
            Conflict: The file is being fetched at the moment.
        """
        if not self.folder.is_dir():
            return 0
        with (self.folder / "lock").open("ab") as lock:
            if not _try_lock(lock.fileno()):
                name = self.file.name
                raise Conflict(f"{name} is being fetched by another process: stop that first.", model=name)
            self.sweep()
            freed = 0
            for path in self.folder.iterdir():
                if path.name != "lock" and path.is_file():
                    freed += path.stat().st_size
                    path.unlink()
            return freed

    def partial_bytes(self) -> int:
        """Return how many bytes a fetch that did not end, or goes on elsewhere, has so far."""
        return max((path.stat().st_size for path in self.folder.glob("*.part")), default=0)

    @contextlib.asynccontextmanager
    async def locked(self, progress: Progress) -> AsyncGenerator[None]:
        """Hold the lock of the folder, which is made; wait, and show it, while another process has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as lock:
            while not _try_lock(lock.fileno()):
                progress.update("waiting for another process", self.partial_bytes(), self.file.size_bytes)
                await asyncio.sleep(LOCK_POLL_S)
            yield

    def _facts(self, path: Path) -> dict[str, Any]:
        stat = path.stat()
        return {
            "sha256": self.file.sha256,
            "path": str(path),
            "size_bytes": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "ctime_ns": stat.st_ctime_ns,
            "inode": stat.st_ino,
        }

    def _stamp(self, path: Path) -> None:
        """Write down that a file was checked; where that cannot be done, it is hashed again next time."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._stamp_path(path).write_text(json.dumps(self._facts(path)), "utf-8")
        except OSError as error:
            log.info("the check of %s cannot be written down: %s", path, error)

    def _stamp_path(self, path: Path) -> Path:
        return self.folder / f"checked-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}.json"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in lowercase hexadecimal. Blocks: about a second a gigabyte."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _try_lock(descriptor: int) -> bool:
    """Take the lock of an open file if it is free; the system gives it back when the file is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
