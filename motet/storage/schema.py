"""Brings a database to the schema of this version, or says why it cannot.

What does not live here: the tables (`storage.tables`) and the steps from one version to the next
(`storage/migrations/versions`).
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from motet.errors import DatabaseForeign, DatabaseNewer, DatabaseUnavailable
from motet.secret import hide_password
from motet.storage.encryption import check_keys
from motet.storage.probe import APPLICATION_ID, HEAD, VERSION_TABLE, FileKind, database_file, judge, probe
from motet.storage.trouble import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from motet.settings import StorageSettings
    from motet.storage.engine import Database

T = TypeVar("T")

_LOCK_KEY = 0x4D6F746574  # PostgreSQL's advisory lock while a schema is made
_MIGRATIONS = Path(__file__).parent / "migrations"
_version = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))


def prepare(database: Database, settings: StorageSettings, *, keys: bool = True) -> None:
    """Make the database ready: create it, move an older one forward, and refuse every other kind.

    A database that is ready costs one SELECT. Several processes may do this at once; one does the work, the
    others wait for it. A second call does nothing. Without `keys` it is not looked at whether the database is
    encrypted as the settings say; only what encrypts it does that.

    Raises:
        DatabaseNewer: A newer Motet wrote it; the message has both versions.
        DatabaseForeign: It belongs to another program, or is no database; not a byte of it is changed.
        DatabaseUnavailable: It cannot be read or written.
        EncryptionMismatch: Its key is missing or another one, or a key is set and it is not encrypted.
    """
    path = database_file(settings.database_url)
    if path is not None:
        _check_file(path)
    if _patiently(lambda: _stored_version(database), settings) != HEAD:
        _patiently(lambda: database.write_sync(lambda c: _migrate(c, hide_password(database.url))), settings)
    if keys:
        _patiently(lambda: check_keys(database), settings)


def _check_file(path: Path) -> None:
    """Refuse a file that is not Motet's, or not writable, before the engine touches it."""
    try:
        kind = probe(path)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The database {path} cannot be read: {error.strerror}. Set MOTET_HOME to a folder of yours."
        ) from None
    except sqlite3.Error as error:
        raise DatabaseForeign(
            f"{path} is damaged: {error}. It was left as it is: restore a backup, or set MOTET_HOME."
        ) from None
    if kind is FileKind.NO_DATABASE:
        raise DatabaseForeign(f"{path} is not a database. It was left as it is: move it, or set MOTET_HOME.")
    if kind is FileKind.FOREIGN:
        raise DatabaseForeign(
            f"{path} is a database of another program. It was left as it is: set MOTET_DATABASE_URL to "
            "a file of Motet's own."
        )
    target = path if path.exists() else path.parent
    if target.exists() and not (os.access(target, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise DatabaseUnavailable(
            f"The database {path} is read-only, or its folder is. Make both writable, or set MOTET_HOME."
        )


def _patiently(work: Callable[[], T], settings: StorageSettings) -> T:
    """Do `work`, again while another process holds the file to make it."""
    deadline = time.monotonic() + settings.busy_timeout_s
    while True:
        try:
            return work()
        except DatabaseUnavailable as error:
            if "locked" not in error.message or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _stored_version(database: Database) -> str | None:
    """Return the schema's version, None where there is no version table."""
    try:
        with database.engine.connect() as connection:
            return connection.execute(sa.select(_version.c.version_num)).scalar()
    except DBAPIError as error:
        text = str(error.orig).lower()
        if "no such table" in text or "does not exist" in text:
            return None
        raise translate(error, database.url) from error


def _migrate(connection: Connection, where: str) -> None:
    """Run every migration that is missing, all in the writer's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
    tables = sa.inspect(connection).get_table_names()
    kind = judge(name for name in tables)
    if kind is FileKind.FOREIGN:
        raise DatabaseForeign(f"{where} holds tables of another program. Give Motet a database of its own.")
    from alembic import command  # noqa: PLC0415  # 0.3 s that a ready database need not pay
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if kind is FileKind.OURS:
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        stored = connection.execute(sa.select(_version.c.version_num)).scalar()
        if stored is not None and stored not in known:
            raise DatabaseNewer(
                f"The database {where} has schema {stored}, made by a newer Motet; this one knows {HEAD}. "
                "Install a newer Motet, or set MOTET_HOME to another folder.",
                found=stored,
                known=HEAD,
            )
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
