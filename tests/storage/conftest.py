"""What the tests of the engine, and those of encryption, share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from encrypted_home import scripted
from numbers_table import make_table, opened

from motet.settings import Settings
from motet.storage.engine import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet, nor its folder."""
    return tmp_path / "data" / "numbers.db"


@pytest.fixture
def sqlite_database(path: Path) -> Iterator[Database]:
    """A SQLite database with the table of numbers."""
    with opened(path) as database:
        database.write_sync(make_table)
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The same on each kind of database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_database")
        return
    with opened(request.getfixturevalue("postgres_url")) as database:
        database.write_sync(make_table)
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def plain(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a database that is not encrypted, of each kind."""
    settings = scripted(settings, tmp_path)
    if request.param == "sqlite":
        return settings
    return settings.replace(storage__database_url=request.getfixturevalue("postgres_url"))
