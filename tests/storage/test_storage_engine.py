"""The engine's contract: group commit, order, what others see. Its errors: `test_storage_engine_trouble`."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from numbers_table import BusyWriter, insert, make_table, numbers, opened, stored, together
from sqlalchemy import event
from sqlalchemy.engine import Connection

from motet.errors import DatabaseUnavailable, StorageError
from motet.settings import StorageSettings
from motet.storage.engine import GROUP_MAX, Database
from motet.storage.opening import IDLE_TRANSACTION_S

# Reading and writing


async def test_a_write_returns_its_value_after_others_can_see_it(any_database: Database) -> None:
    with opened(any_database.url) as other:
        for n in range(20):
            assert await any_database.write(insert(n)) == n
            assert other.read_sync(stored) == list(range(n + 1))


def test_a_read_that_fails_in_the_middle_of_its_rows_leaves_no_old_picture(any_database: Database) -> None:
    for n in range(5):
        any_database.write_sync(insert(n))

    def stop(connection: Connection) -> None:
        rows = iter(connection.execute(sa.select(numbers)))
        raise LookupError(next(rows))

    with pytest.raises(LookupError) as kept:  # with it its rows are kept, which nobody fetched
        any_database.read_sync(stop)
    any_database.write_sync(insert(5))
    assert any_database.read_sync(stored) == list(range(6))
    del kept


async def test_reads_and_writes_work_on_plain_threads_too(any_database: Database) -> None:
    assert await asyncio.to_thread(any_database.write_sync, insert(1)) == 1
    assert await asyncio.to_thread(any_database.read_sync, stored) == [1]
    assert await any_database.read(stored) == [1]


async def test_writes_happen_in_the_order_they_were_asked_for(any_database: Database) -> None:
    order: list[int] = []
    await asyncio.gather(*(any_database.write(lambda _, n=n: order.append(n)) for n in range(200)))
    assert order == list(range(200))


async def test_a_reader_changes_nothing(sqlite_database: Database) -> None:
    await sqlite_database.read(insert(1))
    assert await sqlite_database.read(stored) == []


async def test_readers_go_on_while_a_write_is_under_way(sqlite_database: Database) -> None:
    async with BusyWriter(sqlite_database):
        assert await asyncio.wait_for(sqlite_database.read(stored), 5) == []


# Group commit


async def test_writes_that_come_together_share_a_commit(any_database: Database) -> None:
    commits: list[int] = []
    event.listen(any_database.engine, "commit", lambda _: commits.append(1))
    assert GROUP_MAX >= 16
    await together(any_database, [insert(n) for n in range(GROUP_MAX + 1)])
    assert len(commits) == 3  # the gate's, a full group's, and the rest's
    assert await any_database.read(stored) == list(range(GROUP_MAX + 1))


async def test_a_write_that_fails_among_others_undoes_itself_alone(any_database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(sa.insert(numbers).values(n=100))
        raise ValueError("in the middle")

    def twice(connection: Connection) -> None:
        connection.execute(sa.insert(numbers).values(n=101))
        connection.execute(sa.insert(numbers).values(n=101))

    works = [insert(1), half, insert(2), twice, insert(3)]
    first, broken, second, refused, third = await together(any_database, works)
    assert (first, second, third) == (1, 2, 3)
    assert isinstance(broken, ValueError)
    assert type(refused) is StorageError
    assert "unique" in refused.message.lower()
    assert await any_database.read(stored) == [1, 2, 3]


async def test_a_write_that_fails_alone_leaves_nothing(any_database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(sa.insert(numbers).values(n=100))
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await any_database.write(half)
    assert await any_database.read(stored) == []
    assert await any_database.write(insert(1)) == 1  # and the writer goes on


async def test_a_typed_error_reaches_the_caller_as_it_is(any_database: Database) -> None:
    def refuse(_: Connection) -> None:
        raise StorageError("not today", reason="rain")

    alone = await asyncio.gather(any_database.write(refuse), return_exceptions=True)
    among = await together(any_database, [insert(1), refuse])
    for error in (alone[0], among[1]):
        assert isinstance(error, StorageError)
        assert error.fields == {"reason": "rain"}


async def test_a_statement_that_cannot_be_understood_fails_alone(any_database: Database) -> None:
    def wrong(connection: Connection) -> None:
        connection.execute(sa.insert(numbers).values(n=100))
        connection.execute(sa.text("INSERT INTO no_such_table VALUES (1)"))

    first, error, second = await together(any_database, [insert(1), wrong, insert(2)])
    assert (first, second) == (1, 2)
    assert isinstance(error, StorageError)
    assert "no_such_table" in error.message
    assert await any_database.read(stored) == [1, 2]


async def test_a_write_that_nobody_waits_for_any_more_is_left_out(sqlite_database: Database) -> None:
    async with BusyWriter(sqlite_database):
        task = asyncio.create_task(sqlite_database.write(insert(1)))
        await asyncio.sleep(0)
        task.cancel()
        kept = asyncio.create_task(sqlite_database.write(insert(2)))
        await asyncio.sleep(0)
    assert await kept == 2
    assert await sqlite_database.read(stored) == [2]


# Closing


async def test_closing_finishes_what_was_queued_and_refuses_the_rest(path: Path) -> None:
    database = Database(StorageSettings(database_url=f"sqlite:///{path}"))
    await database.write(make_table)
    tasks = [asyncio.create_task(database.write(insert(n))) for n in range(100)]
    await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    assert await asyncio.gather(*tasks) == list(range(100))
    database.close()
    for refused in (database.write(insert(1)), database.read(stored)):
        with pytest.raises(StorageError, match="closed"):
            await refused
    for work in (lambda: database.write_sync(insert(1)), lambda: database.read_sync(stored)):
        with pytest.raises(StorageError, match="closed"):
            work()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (100,)


def test_a_database_that_was_never_used_can_be_closed(path: Path) -> None:
    database = Database(StorageSettings(database_url=f"sqlite:///{path}"))
    database.close()
    assert not path.exists()


# Several writers


def test_two_engines_on_one_file_write_at_once(sqlite_database: Database, path: Path) -> None:
    with opened(path) as other:

        def write(database: Database, first: int) -> None:
            for n in range(first, first + 50):
                database.write_sync(insert(n))

        threads = [
            threading.Thread(target=write, args=(database, first))
            for first, database in ((0, sqlite_database), (100, other), (200, sqlite_database))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(other.read_sync(stored)) == 150


COUNT_UP = """
import sys
import sqlalchemy as sa
from motet.settings import StorageSettings
from motet.storage.engine import Database
from motet.storage.opening import IDLE_TRANSACTION_S

database = Database(StorageSettings(database_url=sys.argv[1]))

def add(connection):  # reads before it writes, as nearly every write does
    n = connection.execute(sa.text("SELECT max(n) FROM numbers")).scalar()
    connection.execute(sa.text("INSERT INTO numbers VALUES (:n)"), {"n": n + 1})

database.read_sync(lambda connection: connection.execute(sa.text("SELECT 1")))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    database.write_sync(add)
database.close()
"""


def test_processes_that_read_and_write_at_once_lose_nothing(sqlite_database: Database) -> None:
    sqlite_database.write_sync(insert(0))
    command = [sys.executable, "-c", COUNT_UP, sqlite_database.url]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(2)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        _, error = child.communicate(timeout=60)
        assert child.returncode == 0, error.decode()
    assert sqlite_database.read_sync(stored) == list(range(401))


@contextmanager
def locked(path: Path) -> Generator[sqlite3.Connection]:
    """Hold the file's write lock, as another program would."""
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield holder


async def test_a_locked_database_is_waited_for(sqlite_database: Database, path: Path) -> None:
    with locked(path) as holder:
        task = asyncio.create_task(sqlite_database.write(insert(1)))
        await asyncio.sleep(0.15)
        assert not task.done()
        assert await sqlite_database.read(stored) == []  # readers do not wait
        holder.execute("COMMIT")
        assert await asyncio.wait_for(task, 10) == 1


async def test_a_database_that_stays_locked_is_given_up_and_comes_back(
    sqlite_database: Database, path: Path
) -> None:
    with opened(path, busy_timeout_s=0.1) as hasty:
        with locked(path):
            with pytest.raises(DatabaseUnavailable, match=r"locked by another program") as caught:
                await hasty.write(insert(1))
            assert str(path) in caught.value.message
        assert await hasty.write(insert(1)) == 1


# What is in force on a connection


async def test_every_connection_has_the_pragmas(path: Path) -> None:
    def pragmas(connection: Connection) -> dict[str, Any]:
        names = ("journal_mode", "foreign_keys", "synchronous", "temp_store", "busy_timeout")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "temp_store": 2}
    with opened(path, busy_timeout_s=7.0) as database:
        assert database.dialect == "sqlite"
        for found in (await database.read(pragmas), await database.write(pragmas)):
            assert found == expected | {"busy_timeout": 7000}
    with opened(path, synchronous="full") as database:
        assert (await database.write(pragmas))["synchronous"] == 2


async def test_foreign_keys_are_kept(any_database: Database) -> None:
    def tables(connection: Connection) -> None:
        connection.execute(sa.text("CREATE TABLE parent (n INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("CREATE TABLE child (n INTEGER REFERENCES parent (n))"))

    await any_database.write(tables)
    with pytest.raises(StorageError, match=r"(?i)foreign key"):
        await any_database.write(lambda c: c.execute(sa.text("INSERT INTO child VALUES (1)")))


async def test_postgresql_ends_a_transaction_whose_process_was_stopped(postgres_url: str) -> None:
    """Else a stopped worker's row locks would keep every other worker from its runs."""
    with opened(postgres_url) as database:
        query = sa.text("SHOW idle_in_transaction_session_timeout")
        assert await database.read(lambda c: c.execute(query).scalar()) == f"{IDLE_TRANSACTION_S}s"
        assert await database.write(lambda c: c.execute(query).scalar()) == f"{IDLE_TRANSACTION_S}s"


def test_what_is_deleted_is_nowhere_in_the_files(sqlite_database: Database, path: Path) -> None:
    def left() -> list[str]:
        return [file.name for file in path.parent.iterdir() if b"a secret" in file.read_bytes()]

    sqlite_database.write_sync(lambda c: c.exec_driver_sql("CREATE TABLE notes (text TEXT)"))
    sqlite_database.write_sync(lambda c: c.exec_driver_sql("INSERT INTO notes VALUES ('a secret')"))
    assert left() == ["numbers.db-wal"]
    sqlite_database.empty_journal()
    assert left() == ["numbers.db"]
    sqlite_database.write_sync(lambda c: c.exec_driver_sql("DELETE FROM notes"))
    sqlite_database.empty_journal()
    assert left() == []
