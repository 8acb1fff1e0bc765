"""The rows of a map and the lines that come of them, both JSON lines, one in memory at a time.

What does not live here: running a task for a row (the doors).
"""

from __future__ import annotations

import json
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from motet.errors import Conflict, InvalidInput
from motet.tasks.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from typing import TextIO


def read_rows(path: Path, *, after: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON lines file behind the first `after`; blank lines are no rows.

    Raises:
        InvalidInput: The file cannot be read, or a line is no JSON object; the message names it.
    """
    number = 0
    try:
        with path.open("r", encoding="utf-8-sig") as file:
            for at, line in enumerate(file, 1):
                if line.strip():
                    if number >= after:
                        yield _row(path, at, line)
                    number += 1
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not UTF-8 text. Save it as UTF-8.") from None


def count_rows(path: Path) -> int:
    """Check every row and return how many there are; see `read_rows` for errors."""
    return sum(1 for _ in read_rows(path))


def _row(path: Path, at: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput(
            f'{path}:{at}: {quoted(line.strip())} is not JSON; expected one object a line, as {{"name": "value"}}.'
        ) from None
    if not isinstance(value, dict):
        raise InvalidInput(
            f"{path}:{at}: {quoted(value)} is no JSON object; expected an input for each name."
        )
    return value


class Results:
    """The file that a map writes, or standard output. `written` lines are in it already."""

    def __init__(
        self, out: Path | None, file: TextIO, *, written: int, map_id: str, lock: str | None
    ) -> None:
        self.written = written
        self.map_id = map_id
        self.lock = lock
        """Digest of the task file that the rows were begun with; None when they begin now."""
        self._out = out
        self._file = file

    def write(self, line: dict[str, Any]) -> None:
        """Write the next row's line; it is on its way to the disk when this returns."""
        self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        self._file.flush()
        self.written += 1

    def keep_lock(self, digest: str | None) -> None:
        """Remember what the rows go by, so that they can go on after a crash."""
        self.lock = digest
        if self._out is not None:
            _beside(self._out).write_text(json.dumps({"map": self.map_id, "lock": digest}), "utf-8")

    def finish(self) -> None:
        """Forget what was only needed to go on."""
        if self._out is not None:
            _beside(self._out).unlink(missing_ok=True)


@contextmanager
def open_results(out: Path | None, rows: Path, *, resume: bool) -> Generator[Results]:
    """Open the file to write; with `resume` behind its last whole line.

    Raises:
        Conflict: It is there already, and `resume` was not asked for.
        InvalidInput: It cannot be written, is the file of the rows, or its lines are no results.
    """
    if out is None:
        if resume:
            raise InvalidInput("--resume goes on with a file: name it by --out.")
        yield Results(None, sys.stdout, written=0, map_id=uuid.uuid4().hex, lock=None)
        return
    if out.exists() and out.resolve() == rows.resolve():
        raise InvalidInput(f"{out} holds the rows; write the results elsewhere.")
    if out.exists() and out.stat().st_size and not resume:
        raise Conflict(f"{out} is there already: --resume goes on with it; else name another file.")
    written = _whole_lines(out) if resume and out.exists() else 0
    known = _known(out) if written or resume else {}
    try:
        file = out.open("a", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror or error}.") from None
    with file:
        map_id = str(known.get("map") or uuid.uuid4().hex)
        yield Results(out, file, written=written, map_id=map_id, lock=known.get("lock"))


def _whole_lines(out: Path) -> int:
    """Count the lines of results, and cut off the beginning of one that a crash left behind."""
    end, count = 0, 0
    with out.open("r+b") as file:
        for line in file:
            try:
                value = json.loads(line)
                whole = line.endswith(b"\n")
            except ValueError:
                whole, value = False, None
            if not whole:
                break
            if not isinstance(value, dict) or value.get("row") != count:
                raise InvalidInput(
                    f"{out}:{count + 1} is not the result of row {count}: this file is of something else."
                )
            end, count = end + len(line), count + 1
        rest = out.stat().st_size - end
        if rest and b"\n" in _tail(out, end):
            raise InvalidInput(f"{out}:{count + 1} is no result: this file is of something else.")
        file.truncate(end)
    return count


def _tail(out: Path, start: int) -> bytes:
    with out.open("rb") as file:
        file.seek(start)
        return file.read(1_000_000).rstrip(b"\n")


def _known(out: Path) -> dict[str, Any]:
    try:
        known = json.loads(_beside(out).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.map")
