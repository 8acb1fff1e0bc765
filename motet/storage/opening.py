"""Opens the database that a URL names, each kind as Motet works with it.

What does not live here: who reads and who writes (`engine`).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import ArgumentError

from motet.errors import DatabaseForeign, DatabaseUnavailable, ExtraMissing
from motet.secret import hide_password
from motet.storage.clock import STEADY_FUNCTION

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import PoolProxiedConnection

    from motet.settings import StorageSettings

READERS = 4
"""Threads that read."""

POOL_SIZE = READERS + 2
"""Connections that are kept: the readers', the writer's, and the one that peeks."""

WRITES = "motet_writes"
"""Key in a connection's `info`: whether the transactions that it begins write."""

IDLE_TRANSACTION_S = 5
"""Longest pause inside a transaction. Motet's take milliseconds; only a process that was stopped pauses so long."""


class ImmediateSqlite(SQLiteDialect_pysqlite):
    """SQLite that begins a writing transaction with the write lock. A listener for that would cost every statement."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction of the kind that this connection is for now."""
        writes = dbapi_connection.info.get(WRITES)
        dbapi_connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def open_engine(settings: StorageSettings) -> Engine:
    """Return an engine for the database of the settings; nothing is connected yet, and a missing folder is made.

    Raises:
        DatabaseForeign: The URL is not one of a database that Motet can use.
        DatabaseUnavailable: The folder of a file cannot be made.
        ExtraMissing: The driver for PostgreSQL is not installed.
    """
    url = _read_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        try:
            engine = sa.create_engine(url, pool_pre_ping=True, pool_size=8)
        except ImportError:
            raise ExtraMissing(
                "The driver for PostgreSQL is not installed: pip install 'motet[postgres]'."
            ) from None
        event.listen(engine, "connect", _limit_idle_transactions)
        return engine
    _make_folder(str(url.database))
    registry.register("sqlite.motet", __name__, "ImmediateSqlite")
    engine = sa.create_engine(
        url.set(drivername="sqlite+motet"),
        pool_size=POOL_SIZE,
        connect_args={
            "timeout": settings.busy_timeout_s,
            "check_same_thread": False,
            "isolation_level": None,
        },
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.create_function(STEADY_FUNCTION, 0, time.monotonic)
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={settings.synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute(
            "PRAGMA secure_delete=ON"
        )  # what is deleted is overwritten; many builds have this anyway
        cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()

    return engine


def _limit_idle_transactions(connection: Any, _record: Any) -> None:
    """Have PostgreSQL end a transaction that its process left open: a stopped process keeps no lock for long."""
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_S}s'")
    connection.autocommit = False


def _read_url(text: str) -> sa.URL:
    """Read a URL of SQLite in a file or PostgreSQL, each with the driver that Motet works with."""
    drivers = {"sqlite": "pysqlite", "postgresql": "psycopg"}
    try:
        url = sa.make_url(text)
        known = url.get_driver_name() == drivers.get(url.get_backend_name())
    except (ArgumentError, ValueError, ImportError):
        known, url = False, None
    # A database in memory belongs to one connection, and the engine has several.
    if url is None or not known or (url.drivername.startswith("sqlite") and url.database in _IN_MEMORY):
        shown = _PASSWORD.sub(":***@", hide_password(text))
        raise DatabaseForeign(
            f"MOTET_DATABASE_URL '{shown}' is not a URL of a database that Motet can use, "
            "like sqlite:////path/motet.db or postgresql+psycopg://user@host/name."
        ) from None
    return url


_IN_MEMORY = (None, "", ":memory:")
_PASSWORD = re.compile(r":[^:@/]*@")  # in what has no scheme


def _make_folder(database: str) -> None:
    from pathlib import Path  # noqa: PLC0415

    folder = Path(database).expanduser().absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The data folder {folder} cannot be made: {error.strerror}. Set MOTET_HOME to a folder you may write."
        ) from None
