"""A check-up of the data folder and the database. Nothing is created or changed.

What does not live here: showing it (`motet doctor`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.errors import MotetError
from motet.secret import hide_password
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.telemetry import Finding

if TYPE_CHECKING:
    from motet.settings import Settings

ENOUGH_BYTES = 200 * 1024 * 1024
"""Free space below which the data folder is reported."""


def check_storage(settings: Settings) -> list[Finding]:
    """Return what is found: the data folder, its free space, and the database. Never raises for what is wrong."""
    return [_folder(settings.storage.home), _database(settings)]


def _folder(home: Path) -> Finding:
    there = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding("data folder", ok=False, detail=f"{there} cannot be written", fix="Set MOTET_HOME.")
    free_bytes = shutil.disk_usage(there).free
    detail = f"{home}, {free_bytes / 1024**3:.1f} GB free"
    fix = "Free some space, or set MOTET_HOME to a folder on another disk."
    return Finding("data folder", ok=free_bytes >= ENOUGH_BYTES, detail=detail, fix=fix)


def _database(settings: Settings) -> Finding:
    url = sa.make_url(settings.storage.database_url)
    shown = hide_password(settings.storage.database_url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return Finding("database", ok=True, detail=f"{shown} (made when first used)")
    try:
        database = Database(settings.storage)
        try:
            prepare(database, settings.storage)
            damage = _damage(database)
        finally:
            database.close()
    except MotetError as error:
        return Finding("database", ok=False, detail=error.message)
    if damage:
        fix = "Copy it away, then restore a backup."
        return Finding("database", ok=False, detail=f"{shown} is damaged: {damage}", fix=fix)
    return Finding("database", ok=True, detail=shown)


def _damage(database: Database) -> str:
    """Look at every page of a SQLite file; return what is wrong first, "" where all is well."""
    if database.dialect != "sqlite":
        return ""
    found = database.read_sync(lambda c: c.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if found == "ok" else " ".join(str(found).split())
