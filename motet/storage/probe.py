"""What a SQLite file is, found out without changing a byte of it.

The engine sets WAL mode on every connection, which rewrites the header of a file in another mode. So whose
file it is gets settled here, before the engine opens it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

APPLICATION_ID = 0x4D6F7465
"""What Motet writes into `PRAGMA application_id` ("Mote")."""

VERSION_TABLE = "alembic_version"

HEAD = "0016"
"""The newest migration, which this version of Motet works with."""

_MAGIC = b"SQLite format 3\x00"
_WAL_MODE = 2


class FileKind(Enum):
    """What there is where the database should be."""

    NEW = "new"
    """Nothing yet, or a database without a table."""
    OURS = "ours"
    FOREIGN = "foreign"
    """A database of another program."""
    NO_DATABASE = "no database"
    """A file of another kind."""


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for other databases, memory and `file:` names."""
    import sqlalchemy as sa  # noqa: PLC0415  # who only looks at a file needs none

    parsed = sa.make_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:") or name.startswith("file:"):
        return None
    return Path(name).expanduser().absolute()


def plain_file(url: str) -> Path | None:
    """Return the file of a SQLite URL that is nothing but a path; None for every other URL."""
    name = url.removeprefix("sqlite:///")
    if name == url or not name or name.startswith((":memory:", "file:")) or any(c in name for c in "?%#"):
        return None
    return Path(name).expanduser().absolute()


def probe(path: Path) -> FileKind:
    """Say what the file is; nothing is created, locked or changed.

    Raises:
        OSError: The file cannot be read, or is a folder.
        sqlite3.Error: It starts like a database and cannot be read as one.
    """
    if not path.exists():
        return FileKind.NEW
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return FileKind.NEW
    if len(header) < 100 or not header.startswith(_MAGIC):
        return FileKind.NO_DATABASE
    if int.from_bytes(header[68:72], "big") == APPLICATION_ID:
        return FileKind.OURS
    return judge(_tables(path, wal_mode=header[18] == _WAL_MODE))


def judge(tables: Iterable[str]) -> FileKind:
    """Say whose database it is by the names of its tables."""
    names = set(tables)
    if not names:
        return FileKind.NEW
    return FileKind.OURS if {VERSION_TABLE, "threads", "runs"} <= names else FileKind.FOREIGN


def _tables(path: Path, *, wal_mode: bool) -> list[str]:
    """List tables through a read-only connection; `immutable` makes no sidecar files where there are none."""
    wal = path.with_name(path.name + "-wal")
    pending = wal_mode and wal.exists() and wal.stat().st_size > 0
    options = "mode=ro" if pending else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in rows if not name.startswith("sqlite_")]
