"""A fence lets the newest claim of a run write, and nobody else."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.base import empty_checkpoint
from sqlalchemy import event
from sqlalchemy.engine import Connection

from motet.errors import LeaseLost
from motet.memory.checkpoints import MotetSaver
from motet.memory.store import MotetStore
from motet.settings import StorageSettings
from motet.storage.engine import Database
from motet.storage.fence import CONFIG_KEY, Fence, guarded, hold, let_go
from motet.storage.schema import prepare
from motet.storage.seal import Seal
from motet.storage.tables import runs, threads

MINE = Fence("local", "r1", 3)


def _fill(connection: Connection) -> None:
    common = {"tenant_id": "local", "thread_id": "t1", "owner_id": "me", "graph": "chat", "created_at": 1.0}
    connection.execute(sa.insert(threads).values(**common, updated_at=1.0))
    connection.execute(sa.insert(runs).values(**common, run_id="r1", job="{}", status="running", fence=3))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    settings = StorageSettings(database_url=url)
    database = Database(settings)
    prepare(database, settings)
    database.write_sync(_fill)
    yield database
    database.close()


def test_the_newest_claim_may_write(database: Database) -> None:
    database.write_sync(lambda c: hold(c, MINE))


def test_a_transaction_looks_once_for_a_claim(database: Database) -> None:
    asked: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        asked.append(statement)

    def twice(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":  # which is asked past SQLAlchemy
            driver: Any = connection.connection.driver_connection
            driver.set_trace_callback(asked.append)
        hold(connection, MINE)
        hold(connection, MINE)

    for times in (1, 2):
        database.write_sync(twice)
        assert len([one for one in asked if "runs.fence" in one]) == times


def test_a_savepoint_that_was_undone_holds_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        savepoint = connection.begin_nested()
        hold(connection, MINE)
        savepoint.rollback()
        connection.execute(sa.update(runs).values(fence=4))
        with pytest.raises(LeaseLost):
            hold(connection, MINE)

    database.write_sync(work)


def test_who_ends_the_run_holds_it_no_longer(database: Database) -> None:
    def work(connection: Connection) -> None:
        hold(connection, MINE)
        connection.execute(sa.update(runs).values(status="success"))
        let_go(connection)
        with pytest.raises(LeaseLost):
            hold(connection, MINE)

    database.write_sync(work)


@pytest.mark.parametrize(
    "fence", [MINE._replace(number=2), MINE._replace(tenant_id="other"), MINE._replace(run_id="r")]
)
def test_every_other_claim_is_refused(database: Database, fence: Fence) -> None:
    with pytest.raises(LeaseLost, match=fence.run_id):
        database.write_sync(lambda c: hold(c, fence))


@pytest.mark.parametrize("status", ["pending", "success", "cancelled"])
def test_a_run_that_nobody_works_on_is_nobodys(database: Database, status: str) -> None:
    database.write_sync(lambda c: c.execute(sa.update(runs).values(status=status)))
    with pytest.raises(LeaseLost):
        database.write_sync(lambda c: hold(c, MINE))


def test_nobody_takes_a_run_over_before_what_its_holder_writes_is_on_disk(postgres_url: str) -> None:
    """On PostgreSQL two processes write at once: the one that takes over waits for the other's commit."""
    settings = StorageSettings(database_url=postgres_url)
    holder, heir = Database(settings), Database(settings)
    prepare(holder, settings)
    holder.write_sync(_fill)
    order: list[str] = []
    held, go_on = threading.Event(), threading.Event()

    def hold_long(connection: Connection) -> None:
        hold(connection, MINE)
        held.set()
        go_on.wait(10)
        order.append("written")

    def take_over() -> None:
        heir.write_sync(lambda c: c.execute(sa.update(runs).values(fence=4)))
        order.append("taken over")

    first = threading.Thread(target=lambda: holder.write_sync(hold_long))
    first.start()
    assert held.wait(10)
    second = threading.Thread(target=take_over)
    second.start()
    second.join(0.3)
    assert order == []
    go_on.set()
    first.join(10)
    second.join(10)
    assert order == ["written", "taken over"]
    holder.close()
    heir.close()


def test_only_a_fence_that_is_given_is_held(database: Database) -> None:
    database.write_sync(lambda c: guarded(c, None).execute(sa.select(1)).all())
    with pytest.raises(LeaseLost):
        database.write_sync(lambda c: guarded(c, MINE._replace(number=1)))


async def test_a_memory_that_a_graph_writes_holds_the_fence_of_its_run(database: Database) -> None:
    store = MotetStore(database)

    async def write(key: str) -> None:
        await store.aput(("notes",), key, {"text": key})

    node = RunnableLambda(write)
    await node.ainvoke("mine", {"configurable": {CONFIG_KEY: MINE}})
    with pytest.raises(LeaseLost):
        await node.ainvoke("another's", {"configurable": {CONFIG_KEY: MINE._replace(number=2)}})
    await write("nobody's")
    assert sorted(item.key for item in await store.asearch(("notes",))) == ["mine", "nobody's"]


async def test_checkpoints_are_deleted_for_the_holder_of_the_run_alone(database: Database) -> None:
    saver = MotetSaver(database, Seal([b"0123456789abcdef"]))
    config: Any = {"configurable": {"thread_id": "t1", "checkpoint_ns": ""}}
    await saver.aput(config, empty_checkpoint(), {"run_id": "r1"}, {})  # pyright: ignore[reportArgumentType]
    with pytest.raises(LeaseLost):
        await saver.adelete_for_runs(["r1"], fence=MINE._replace(number=2))
    assert await saver.aget_tuple(config) is not None
    await saver.adelete_for_runs(["r1"], fence=MINE)
    assert await saver.aget_tuple(config) is None
