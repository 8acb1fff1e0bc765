"""Hears that the database changed, whichever process changed it: the ear of those who wait for something new.

What does not live here: what changed. SQLite counts commits (`PRAGMA data_version`), which is asked every few
milliseconds and costs some microseconds; PostgreSQL tells whoever listens (`NOTIFY`).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.storage.probe import database_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from motet.storage.engine import Database

LOOK_S = 0.01
"""How often SQLite's count is looked at."""

SURE_S = 1.0
"""Said at least this often, whatever the database tells: a listener behind a connection pooler may hear nothing."""


def tell(connection: Connection, channel: str, words: str) -> None:
    """Say something to those who listen on a channel, with the commit of this transaction; PostgreSQL alone."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_notify(channel, words)))


async def changes(database: Database, channel: str, *, poll_s: float) -> AsyncGenerator[str | None]:
    """Yield at once, and then after each change, until it is closed.

    What is yielded is what was told on the channel, or None: anything may have changed. Where the database cannot
    be listened to, that is every `poll_s`.
    """
    path = database_file(database.url)
    while True:
        heard = _postgres(database, channel) if path is None else _sqlite(path)
        async with contextlib.aclosing(heard):
            async for words in heard:
                yield words
        polled_until = time.monotonic() + SURE_S
        while time.monotonic() < polled_until:
            yield None
            await asyncio.sleep(poll_s)


async def _sqlite(path: Path) -> AsyncGenerator[str | None]:
    """Yield None after each commit of anybody; end when the file cannot be asked."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_open(path)) as connection:
        before, said_at = -1, 0.0
        while True:
            # On the event loop's own thread: it reads a number from shared memory and waits for no lock.
            [count] = connection.execute("PRAGMA data_version").fetchone()
            if count != before or time.monotonic() - said_at > SURE_S:
                before, said_at = count, time.monotonic()
                yield None
            await asyncio.sleep(LOOK_S)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)  # rw: never makes a file


async def _postgres(database: Database, channel: str) -> AsyncGenerator[str | None]:
    """Yield what is told on the channel, and None now and then; end when the connection does."""
    import psycopg  # noqa: PLC0415  # only where PostgreSQL is used
    from psycopg import sql  # noqa: PLC0415

    _, options = database.engine.dialect.create_connect_args(database.engine.url)
    with contextlib.suppress(psycopg.Error):
        listener: Any = await psycopg.AsyncConnection.connect(**options, autocommit=True)
        async with listener:
            await listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            while True:
                yield None
                async with contextlib.aclosing(listener.notifies(timeout=SURE_S)) as told:
                    async for notice in told:
                        yield notice.payload
