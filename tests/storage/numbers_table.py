"""A database with one small table, for the tests of the engine."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from motet.settings import StorageSettings
from motet.storage.engine import Database

numbers = sa.table("numbers", sa.column("n", sa.Integer))


def insert(n: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(sa.insert(numbers).values(n=n))
        return n

    return work


def stored(connection: Connection) -> list[int]:
    return list(connection.execute(sa.select(numbers.c.n).order_by(numbers.c.n)).scalars())


def make_table(connection: Connection) -> None:
    connection.execute(sa.text("CREATE TABLE numbers (n INTEGER UNIQUE)"))


@contextmanager
def opened(url: str | Path, **more: Any) -> Generator[Database]:
    """Open a URL or a SQLite file; `more` are other settings."""
    text = url if isinstance(url, str) else f"sqlite:///{url}"
    database = Database(StorageSettings(database_url=text, **more))
    try:
        yield database
    finally:
        database.close()


class BusyWriter:
    """Keeps the writer busy for the length of a block, so that what comes meanwhile shares one commit."""

    def __init__(self, database: Database) -> None:
        self._open = threading.Event()
        entered = threading.Event()

        def wait(_: Connection) -> None:
            entered.set()
            self._open.wait(30)

        self._waiting = asyncio.create_task(database.write(wait))
        self._entered = entered

    async def __aenter__(self) -> None:
        await asyncio.to_thread(self._entered.wait, 30)

    async def __aexit__(self, *_: object) -> None:
        self._open.set()
        await self._waiting


async def together(database: Database, works: list[Callable[[Connection], Any]]) -> list[Any]:
    """Queue writes while the writer is busy, and return what each gave or raised."""
    async with BusyWriter(database):
        tasks = [asyncio.create_task(database.write(work)) for work in works]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)
