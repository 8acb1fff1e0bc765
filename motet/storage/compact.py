"""Giving free space of a database back to the disk: every table is written anew, and the log is emptied.

What does not live here: deleting anything, and how large what is (`storage.space`).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.exc import OperationalError

from motet.errors import DatabaseFull, DatabaseUnavailable
from motet.secret import hide_password
from motet.storage.probe import database_file
from motet.storage.space import pages_in_use_bytes, total_bytes
from motet.storage.trouble import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.storage.engine import Database

_LOCK_NOT_AVAILABLE = "55P03"


class Compacted(NamedTuple):
    """What was done."""

    before_bytes: int
    after_bytes: int
    waits_for_reader: bool
    """Another process reads what was there before: the file shrinks when it ends and this is done again."""


def free_on_disk(folder: Path) -> int:
    """Return how many bytes are free where a folder is."""
    return shutil.disk_usage(folder).free


def compact(database: Database, *, timeout_s: float, free: Callable[[Path], int] = free_on_disk) -> Compacted:
    """Write a database anew without its free pages. Nobody can write meanwhile; who reads goes on reading.

    SQLite makes a copy in the folder for temporary files, and writes it back through the log: for a moment it needs
    what the data take in both places. PostgreSQL needs as much room for its largest table, and tells it itself.

    Args:
        database: The database.
        timeout_s: How long to wait, on PostgreSQL, for others that use a table; SQLite has its own setting for it.
        free: Says how many bytes are free in a folder.

    Raises:
        DatabaseFull: There is no room for it. Nothing was changed.
        DatabaseUnavailable: Another process holds a lock on it. What is done is kept; do it again.
    """
    dbapi: Any = database.engine.dialect.dbapi
    before = total_bytes(database)
    path = database_file(database.url)
    if path is not None:
        with contextlib.suppress(dbapi.Error):  # a log of old writes can be what fills the disk
            database.empty_journal()
        _check_room(path, database.read_sync(pages_in_use_bytes), free)
    connection: Any = database.engine.raw_connection()
    try:
        work = _rewrite_file if path is not None else _rewrite_tables
        waits = work(connection.driver_connection, timeout_s)
    except dbapi.Error as error:
        if getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise DatabaseUnavailable(
                f"The database {hide_password(database.url)} is in use: another process held a table for "
                f"{timeout_s:g} s. Stop what works on it, then try again."
            ) from None
        raise translate(OperationalError("VACUUM", {}, error), database.url) from error
    finally:
        connection.invalidate()
    return Compacted(before, total_bytes(database), waits)


def _check_room(path: Path, needed_bytes: int, free: Callable[[Path], int]) -> None:
    """Refuse to begin what cannot end."""
    temporary = Path(tempfile.gettempdir())
    is_one_disk = temporary.stat().st_dev == path.parent.stat().st_dev
    wanted = {path.parent: needed_bytes * 2 if is_one_disk else needed_bytes}
    if not is_one_disk:
        wanted[temporary] = needed_bytes
    for folder, size_bytes in wanted.items():
        there = free(folder)
        if there < size_bytes:
            raise DatabaseFull(
                f"Compacting {path} needs {size_bytes} bytes for a moment where {folder} is, and {there} are "
                "free there. Free some, then try again; it was left as it is."
            )


def _rewrite_file(connection: Any, _timeout_s: float) -> bool:
    connection.execute("PRAGMA temp_store = FILE")  # a copy of a large database does not belong into memory
    connection.execute("VACUUM")
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy)


def _rewrite_tables(connection: Any, timeout_s: float) -> bool:
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = '{round(timeout_s * 1000)}ms'")
    tables = connection.execute(
        "SELECT quote_ident(relname) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 1"
    ).fetchall()
    for (table,) in tables:
        connection.execute(f"VACUUM (FULL, ANALYZE) {table}")
    return False
