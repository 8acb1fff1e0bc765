"""Free space goes back to the disk, and what stands in the way is one clear line."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from numbers_table import opened

from motet.errors import DatabaseFull, DatabaseUnavailable
from motet.storage.compact import compact
from motet.storage.space import total_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from motet.storage.engine import Database

KEPT = 2_000


def fill(connection: Connection) -> None:
    connection.execute(sa.text("CREATE TABLE blobs (n INTEGER, data VARCHAR)"))
    insert = sa.text("INSERT INTO blobs VALUES (:n, :data)")
    connection.execute(insert, [{"n": n, "data": os.urandom(500).hex()} for n in range(KEPT)])


def delete_most(connection: Connection) -> None:
    connection.execute(sa.text("DELETE FROM blobs WHERE n >= 100"))


def rows(connection: Connection) -> int:
    return connection.execute(sa.text("SELECT count(*) FROM blobs")).scalar_one()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'space.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def holed(url: str) -> Iterator[Database]:
    """A database most of whose rows were deleted."""
    with opened(url, busy_timeout_s=0.3) as database:
        database.write_sync(fill)
        database.write_sync(delete_most)
        yield database


def the_file(database: Database) -> Path:
    from motet.storage.probe import database_file

    path = database_file(database.url)
    if path is None:
        pytest.skip("this is about SQLite's file")
    return path


def test_what_is_free_goes_back_to_the_disk_and_no_row_is_lost(holed: Database) -> None:
    before = total_bytes(holed)
    done = compact(holed, timeout_s=5)
    assert done.before_bytes == before
    assert done.after_bytes == total_bytes(holed) < before - 1_000_000
    assert not done.waits_for_reader
    assert holed.read_sync(rows) == 100
    again = compact(holed, timeout_s=5)
    assert again.after_bytes == pytest.approx(again.before_bytes, abs=400_000)  # PostgreSQL's own tables


def test_the_file_itself_shrinks_and_the_log_is_empty(holed: Database) -> None:
    path = the_file(holed)
    done = compact(holed, timeout_s=5)
    assert path.stat().st_size == done.after_bytes
    assert path.with_name("space.db-wal").stat().st_size == 0


def test_without_room_nothing_is_begun(holed: Database) -> None:
    path = the_file(holed)
    size = holed.read_sync(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one()) * 4096
    assert path.with_name("space.db-wal").stat().st_size > 0
    with pytest.raises(DatabaseFull, match=r"space\.db needs \d+ bytes .* 1000 are free there"):
        compact(holed, timeout_s=5, free=lambda _: 1000)
    assert path.stat().st_size == size
    assert (
        compact(holed, timeout_s=5, free=lambda _: 1_000_000).after_bytes < 300_000
    )  # room for what is left


def test_while_another_process_writes_it_is_refused(holed: Database) -> None:
    with closing(sqlite3.connect(the_file(holed), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="is locked by another program"):
            compact(holed, timeout_s=5)
        other.execute("ROLLBACK")
        assert compact(holed, timeout_s=5).after_bytes < 300_000


def test_while_another_process_reads_that_is_said(holed: Database) -> None:
    path = the_file(holed)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM blobs").fetchone() == (100,)
        assert compact(holed, timeout_s=5).waits_for_reader
        assert other.execute("SELECT count(*) FROM blobs").fetchone() == (100,)
    assert not compact(holed, timeout_s=5).waits_for_reader
    assert path.stat().st_size < 300_000


def test_a_table_that_another_process_holds_is_refused_on_postgres(postgres_url: str) -> None:
    with opened(postgres_url) as database, opened(postgres_url) as other:
        database.write_sync(fill)
        with other.engine.connect() as connection:
            connection.execute(sa.text("LOCK TABLE blobs IN ACCESS SHARE MODE"))
            with pytest.raises(
                DatabaseUnavailable, match=r"is in use: another process held a table for 0\.2 s"
            ):
                compact(database, timeout_s=0.2)
        assert database.read_sync(rows) == KEPT
        assert compact(database, timeout_s=5).after_bytes > 0
