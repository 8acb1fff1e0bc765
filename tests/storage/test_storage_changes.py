"""That a listener hears of every change, on either database, and again after its connection was cut."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from motet.settings import Settings
from motet.storage import changes
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import queue_turns

POLL_S = 0.02


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    storage = settings.storage
    if request.param == "postgresql":
        storage = replace(storage, database_url=request.getfixturevalue("postgres_url"))
    database = Database(storage)
    try:
        prepare(database, storage)
        yield database
    finally:
        database.close()


@contextlib.asynccontextmanager
async def listening(database: Database) -> AsyncIterator[AsyncGenerator[str | None]]:
    heard = changes.changes(database, "motet_test", poll_s=POLL_S)
    async with contextlib.aclosing(heard), asyncio.timeout(10):
        assert await anext(heard) is None  # at once: what came before it listened is not missed
        yield heard


async def change(database: Database, tenant_id: str) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(queue_turns).values(tenant_id=tenant_id, turn=1))
        changes.tell(connection, "motet_test", tenant_id)

    await database.write(work)


async def test_a_change_is_heard_long_before_anybody_would_look_anyway(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SURE_S", 60.0)
    async with listening(database) as heard:
        for name in ("a", "海"):
            waiting = asyncio.ensure_future(anext(heard))
            await change(database, name)
            assert await waiting == (None if database.dialect == "sqlite" else name)


async def test_nothing_is_heard_of_what_was_rolled_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SURE_S", 60.0)

    def fail(connection: sa.Connection) -> None:
        changes.tell(connection, "motet_test", "never")
        raise ValueError("no")

    async with listening(database) as heard:
        waiting = asyncio.ensure_future(anext(heard))
        with pytest.raises(ValueError, match="no"):
            await database.write(fail)
        await change(database, "b")
        assert await waiting != "never"


async def test_it_is_said_now_and_then_that_there_may_be_something(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SURE_S", 0.05)
    async with listening(database) as heard:
        assert [await anext(heard) for _ in range(3)] == [None] * 3


async def test_a_listener_whose_connection_is_cut_looks_and_then_listens_again(
    postgres_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(replace(settings.storage, database_url=postgres_url))
    try:
        prepare(database, replace(settings.storage, database_url=postgres_url))
        monkeypatch.setattr(changes, "SURE_S", 0.1)
        cut = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        async with listening(database) as heard:
            assert len(await database.read(lambda c: c.execute(cut).all())) == 1
            assert [await anext(heard) for _ in range(3)] == [None] * 3  # it looks for a while
            said, n = None, 0
            while said is None:  # and then hears words again
                await change(database, f"again {n}")
                said, n = await anext(heard), n + 1
            assert said.startswith("again")
    finally:
        database.close()


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, database: Database) -> None:
    gone = tmp_path / "gone.db"
    database.url = f"sqlite:///{gone}"
    async with listening(database) as heard:
        assert await anext(heard) is None
    assert not gone.exists()
