"""Trouble with a database gets an error of its own, which names the database and what to do."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from numbers_table import insert, make_table, numbers, opened, stored, together
from sqlalchemy.engine import Connection

from motet.errors import (
    DatabaseForeign,
    DatabaseFull,
    DatabaseUnavailable,
    ExtraMissing,
    MotetError,
    StorageError,
)
from motet.settings import StorageSettings
from motet.storage.engine import Database

NOBODY = 65534


@contextmanager
def ordinary_user() -> Generator[None]:
    """Be somebody to whom file modes apply: root may do everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def attempts(database: Database) -> list[MotetError]:
    """Read and write; return the errors, one each, which are all Motet's own."""
    errors: list[MotetError] = []
    for attempt in (lambda: database.read_sync(stored), lambda: database.write_sync(insert(1))):
        with pytest.raises(MotetError) as caught:
            attempt()
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize(
    "content", [b"just some text, and a lot of it" * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with opened(path) as database:
        for error in attempts(database):
            assert type(error) is DatabaseForeign
            assert str(path) in error.message
    assert path.read_bytes() == content


def test_a_folder_in_the_files_place_is_unavailable(path: Path) -> None:
    path.mkdir(parents=True)
    with opened(path) as database:
        assert [type(error) for error in attempts(database)] == [DatabaseUnavailable] * 2


def test_a_file_that_may_not_be_written_is_unavailable(open_folder: Path) -> None:
    path = open_folder / "numbers.db"
    with opened(path) as database:
        database.write_sync(make_table)
    path.chmod(0o444)
    open_folder.chmod(0o555)
    with ordinary_user(), opened(path) as database:
        with pytest.raises(DatabaseUnavailable) as caught:
            database.write_sync(insert(1))
        assert str(path) in caught.value.message
    open_folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_unavailable(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with ordinary_user():
        with opened(open_folder / "numbers.db") as database:
            assert [type(error) for error in attempts(database)] == [DatabaseUnavailable] * 2
        with pytest.raises(DatabaseUnavailable, match="MOTET_HOME"):
            Database(StorageSettings(database_url=f"sqlite:///{open_folder}/deeper/numbers.db"))
    open_folder.chmod(0o755)


def test_a_data_folder_inside_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnavailable, match="cannot be made: Not a directory"):
        Database(StorageSettings(database_url=f"sqlite:///{tmp_path}/file/home/motet.db"))


def blob(n: int, size: int) -> Callable[[Connection], Any]:
    statement = sa.text("INSERT INTO blobs VALUES (:n, zeroblob(:size))")
    return lambda connection: connection.execute(statement, {"n": n, "size": size})


def make_blobs(connection: Connection) -> None:
    connection.execute(sa.text("CREATE TABLE blobs (n INTEGER, data BLOB)"))


def max_pages(count: int) -> Callable[[Connection], Any]:
    """Make the disk that many pages of 4 KB large."""
    return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {count}").scalar()


async def test_a_full_database_says_so_and_goes_on_when_there_is_room(sqlite_database: Database) -> None:
    await sqlite_database.write(make_blobs)
    assert await sqlite_database.write(max_pages(30)) == 30
    with pytest.raises(DatabaseFull, match="free some"):
        await sqlite_database.write(blob(1, 200_000))
    among = await together(sqlite_database, [blob(2, 10), blob(3, 200_000), blob(4, 10)])
    assert [type(result) for result in among] == [DatabaseFull] * 3  # SQLite undoes the whole transaction
    await sqlite_database.write(max_pages(10_000))
    await sqlite_database.write(blob(5, 200_000))
    assert await sqlite_database.read(lambda c: list(c.execute(sa.text("SELECT n FROM blobs")))) == [(5,)]


FILL = """
import resource, sys
import sqlalchemy as sa
from motet.errors import StorageError
from motet.settings import StorageSettings
from motet.storage.engine import Database

database = Database(StorageSettings(database_url=sys.argv[1]))
size = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    for n in range(1000):
        database.write_sync(lambda c: c.execute(sa.text("INSERT INTO blobs VALUES (:n, zeroblob(50000))"), {"n": n}))
except StorageError as error:
    print(type(error).__name__, n)
database.close()
"""


def test_a_disk_that_fills_up_costs_no_write_that_was_confirmed(
    sqlite_database: Database,
) -> None:
    sqlite_database.write_sync(make_blobs)
    command = [sys.executable, "-c", FILL, sqlite_database.url, str(1_000_000)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name, confirmed = done.stdout.split()
    assert name in ("DatabaseFull", "DatabaseUnavailable")
    count = sqlite_database.read_sync(lambda c: c.execute(sa.text("SELECT count(*) FROM blobs")).scalar())
    assert count == int(confirmed)
    assert int(confirmed) > 0


def test_a_server_that_does_not_answer_is_unavailable_and_its_password_is_not_shown() -> None:
    url = "postgresql+psycopg://motet:hunter2hunter2@127.0.0.1:1/motet"
    with opened(url) as database:
        assert database.dialect == "postgresql"
        for error in attempts(database):
            assert type(error) is DatabaseUnavailable
            assert "motet:***@127.0.0.1:1/motet" in error.message
            assert "hunter2" not in error.message
            assert "\n" not in error.message


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_word_in_a_table_or_a_value_is_not_taken_for_trouble(
    kind: str, path: Path, request: pytest.FixtureRequest
) -> None:
    """The drivers' errors are told apart by their text, which holds names and values too."""

    def make(connection: Connection) -> None:
        columns = "is_full INTEGER CHECK (is_full > 0), no_space INTEGER NOT NULL, busy INTEGER UNIQUE"
        connection.execute(sa.text(f"CREATE TABLE corrupt_readonly ({columns})"))

    with opened(path if kind == "sqlite" else request.getfixturevalue("postgres_url")) as database:
        database.write_sync(make)
        for values in ("0, 1, 1", "1, NULL, 1", "1, 1, 1), (1, 1, 1"):
            statement = sa.text(f"INSERT INTO corrupt_readonly VALUES ({values})")
            with pytest.raises(StorageError, match="refused a statement") as caught:
                database.write_sync(lambda c, statement=statement: c.execute(statement))
            assert type(caught.value) is StorageError
            assert "\n" not in caught.value.message


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "",
        "unknown://host/name",
        "mysql://user:hunter2hunter2@host/name",
        "postgresql://user:hunter2hunter2@host:port/name",
        "postgresql+asyncpg://user:hunter2hunter2@host/name",
        "sqlite+aiosqlite:///motet.db",
        "sqlite://",
        "sqlite:///:memory:",
        "user:hunter2hunter2@host",
    ],
)
def test_a_url_that_motet_cannot_use_is_refused_and_no_password_is_shown(url: str) -> None:
    with pytest.raises(DatabaseForeign, match=r"sqlite:////path/motet\.db") as caught:
        Database(StorageSettings(database_url=url))
    assert "hunter2" not in caught.value.message


def test_a_missing_driver_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing, match=r"motet\[postgres\]"):
        Database(StorageSettings(database_url="postgresql+psycopg://user@host/name"))


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    with opened(tmp_path / "a" / "b" / "motet.db") as database:
        database.write_sync(make_table)
    assert (tmp_path / "a" / "b" / "motet.db").exists()


# Two processes on one PostgreSQL


def _waits(database: Database, rows: tuple[int, int], met: threading.Barrier) -> Callable[[Connection], int]:
    """Change two rows, the second one only when the other side has changed its first."""
    first = [True]

    def work(connection: Connection) -> int:
        row = sa.update(numbers).values(n=numbers.c.n + 100)
        connection.execute(row.where(numbers.c.n % 100 == rows[0]))
        if first:
            first.clear()
            met.wait(30)
        connection.execute(row.where(numbers.c.n % 100 == rows[1]))
        return rows[0]

    return work


async def test_a_deadlock_with_another_process_fails_no_write_of_either_batch(postgres_url: str) -> None:
    with opened(postgres_url) as one, opened(postgres_url) as other:
        await one.write(make_table)
        for n in (1, 2):
            await one.write(insert(n))
        met = threading.Barrier(2)
        results = await asyncio.gather(
            together(one, [insert(11), _waits(one, (1, 2), met), insert(12)]),
            together(other, [insert(21), _waits(other, (2, 1), met), insert(22)]),
        )
        assert results == [[11, 1, 12], [21, 2, 22]]
        assert await one.read(stored) == [11, 12, 21, 22, 201, 202]


async def test_a_batch_whose_connection_is_cut_before_its_commit_is_written_all_the_same(
    postgres_url: str,
) -> None:
    cut = [True]

    def cuts(connection: Connection) -> int:
        if cut:
            cut.clear()
            pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            with opened(postgres_url) as other:
                other.write_sync(lambda c: c.execute(sa.text(f"SELECT pg_terminate_backend({pid})")))
        return insert(2)(connection)

    with opened(postgres_url) as database:
        await database.write(make_table)
        assert await together(database, [insert(1), cuts, insert(3)]) == [1, 2, 3]
        assert await database.read(stored) == [1, 2, 3]
