"""Small work: the same promises as `read` and `write`, kept on the thread that asks where SQLite allows it."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from numbers_table import insert, make_table, numbers, opened, stored
from sqlalchemy.engine import Connection

from motet.errors import StorageError
from motet.storage import near
from motet.storage.engine import Database


def where(_: Connection) -> str:
    return threading.current_thread().name


def refuse(connection: Connection) -> None:
    connection.execute(sa.insert(numbers).values(n=99))
    raise LookupError("no")


async def test_what_is_jotted_others_see_when_it_returns(any_database: Database) -> None:
    with opened(any_database.url) as other:
        for n in range(20):
            assert await any_database.jot(insert(n)) == n
            assert other.read_sync(stored) == await any_database.peek(stored) == list(range(n + 1))


async def test_a_jot_that_raises_changes_nothing_and_the_next_one_counts(any_database: Database) -> None:
    with pytest.raises(LookupError):
        await any_database.jot(refuse)
    await any_database.jot(insert(1))
    with pytest.raises(StorageError, match="refused a statement"):
        await any_database.jot(insert(1))  # UNIQUE
    await any_database.jot(insert(2))
    assert await any_database.peek(stored) == [1, 2]


async def test_jots_writes_and_peeks_mix(any_database: Database) -> None:
    await asyncio.gather(*((any_database.jot if n % 2 else any_database.write)(insert(n)) for n in range(40)))
    assert await any_database.peek(stored) == list(range(40))


async def test_a_peek_that_fails_leaves_no_old_picture(any_database: Database) -> None:
    for n in range(5):
        await any_database.jot(insert(n))

    def stop(connection: Connection) -> None:
        rows = iter(connection.execute(sa.select(numbers)))
        raise LookupError(next(rows))

    with pytest.raises(LookupError) as kept:  # with it its rows are kept, which nobody fetched
        await any_database.peek(stop)
    await any_database.write(insert(5))
    assert await any_database.peek(stored) == list(range(6))
    del kept


async def test_small_work_on_sqlite_changes_no_thread(sqlite_database: Database) -> None:
    here = threading.current_thread().name
    assert await sqlite_database.peek(where) == here
    assert await sqlite_database.jot(where) == here
    assert await sqlite_database.write(where) == "motet-writer"


async def test_a_commit_that_waits_for_the_disk_is_the_writers(path: Path) -> None:
    with opened(path, synchronous="full") as database:
        assert await database.jot(where) == "motet-writer"


async def test_somebody_elses_lock_is_waited_for_on_a_thread(sqlite_database: Database, path: Path) -> None:
    await sqlite_database.jot(insert(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(sqlite_database.jot(insert(2)))
        for _ in range(5):  # the loop goes on meanwhile
            await asyncio.sleep(0.01)
        assert await sqlite_database.peek(stored) == [1]
        assert not waiting.done()
        other.execute("ROLLBACK")
        assert await waiting == 2


async def test_a_lock_that_even_readers_wait_for_is_waited_for_on_a_thread(tmp_path: Path) -> None:
    with opened(tmp_path / "other.db") as database:
        database.write_sync(make_table)
        await database.jot(insert(1))
        assert await database.peek(stored) == [1]
    with closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with opened(tmp_path / "other.db", busy_timeout_s=30) as database:
            waiting = asyncio.create_task(database.read(stored))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            other.execute("ROLLBACK")
            assert await waiting == [1]


async def test_after_slow_work_the_threads_do_it_for_a_while(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "SLOW_S", 0.01)

    def slow(_: Connection) -> None:
        time.sleep(0.02)  # holds the loop on purpose

    here = threading.current_thread().name
    await sqlite_database.jot(slow)
    assert await sqlite_database.jot(where) == "motet-writer"
    assert (await sqlite_database.peek(where)).startswith("motet-read")
    monkeypatch.setattr(near, "SLOW_S", 60)
    names = [await sqlite_database.peek(where) for _ in range(near.CAREFUL)]
    assert names[-1] == here


async def test_the_writers_thread_keeps_the_log_small(sqlite_database: Database, path: Path) -> None:
    """The commits of small work move nothing from the log into the file, which would wait for the disk."""
    await sqlite_database.jot(lambda c: c.execute(sa.text("CREATE TABLE wide (text TEXT)")))
    text = "x" * 70_000  # more than a write of a run adds to the log, as a rule
    threads = set[str]()

    def put(connection: Connection) -> None:
        connection.execute(sa.text("INSERT INTO wide VALUES (:text)"), {"text": text})
        threads.add(where(connection))

    for _ in range(600):
        await sqlite_database.jot(put)
    assert threads == {threading.current_thread().name, "motet-writer"}
    size = await asyncio.to_thread(os.path.getsize, path)
    left = await asyncio.to_thread(os.path.getsize, f"{path}-wal")
    log_pages = (
        1_000 + near.LOG_EVERY * 20
    )  # SQLite moves it from 1,000 pages on; one of these writes takes up to 20
    assert left <= log_pages * (4_096 + 24) + 32  # a page and its header, the log's own header
    assert size > left  # of 42 MB: most of it has left the log


@pytest.mark.parametrize("name", ["peek", "jot"])
async def test_a_closed_database_refuses_small_work(any_database: Database, name: str) -> None:
    ask: Callable[[Callable[[Connection], str]], object] = getattr(any_database, name)
    await ask(where)  # type: ignore[misc]
    any_database.close()
    with pytest.raises(StorageError, match="closed"):
        await ask(where)  # type: ignore[misc]
