"""What a database's own errors mean to whoever uses Motet.

What does not live here: which of them are worth another try (`engine`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError

from motet.errors import DatabaseForeign, DatabaseFull, DatabaseUnavailable, StorageError
from motet.secret import hide_password
from motet.storage.probe import database_file

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

    from motet.errors import MotetError


def translate(error: DBAPIError, url: str) -> MotetError:
    """Map a driver's error to Motet's tree, naming the database."""
    said = " ".join(str(error.orig).split())
    text = said.lower()
    where = hide_password(url)
    if isinstance(error, IntegrityError | DataError | ProgrammingError):
        return StorageError(f"The database {where} refused a statement: {said}")
    if "is full" in text or "no space" in text or ("disk i/o error" in text and _disk_is_full(url)):
        return DatabaseFull(f"No space is left for the database {where}: free some, then try again.")
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        return DatabaseForeign(
            f"{where} is not a Motet database, or it is damaged: {said}. It was left as it is: restore a backup, or "
            "set MOTET_HOME to another folder."
        )
    if "readonly" in text or "read-only" in text:
        return DatabaseUnavailable(f"The database {where} is read-only. Make it writable, or set MOTET_HOME.")
    if "is locked" in text or "busy" in text:
        return DatabaseUnavailable(f"The database {where} is locked by another program. Try again.")
    if isinstance(error, OperationalError):
        return DatabaseUnavailable(f"The database {where} cannot be used: {said}")
    return StorageError(f"The database {where} failed: {said}")


def _disk_is_full(url: str) -> bool:
    """Say whether there is no room for a page: where its index of the log cannot grow, SQLite says less."""
    import shutil  # noqa: PLC0415  # only in trouble

    path = database_file(url)
    return path is not None and path.parent.exists() and shutil.disk_usage(path.parent).free < _ROOM_BYTES


_ROOM_BYTES = 64 * 1024
