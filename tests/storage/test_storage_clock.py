import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from numbers_table import opened
from sqlalchemy.engine import Connection

from motet.storage.clock import db_now, lease_now
from motet.storage.engine import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "sqlite":
        yield request.getfixturevalue("database")
        return
    with opened(request.getfixturevalue("postgres_url")) as database:
        yield database


def now(connection: Connection) -> float:
    return connection.execute(sa.select(db_now())).scalar_one()


async def test_it_is_unix_seconds_with_fractions(any_database: Database) -> None:
    before = time.time()
    read = await any_database.read(now)
    written = await any_database.write(now)
    assert isinstance(read, float)
    assert isinstance(written, float)
    assert (
        before - 0.1 <= read <= written <= time.time() + 0.1
    )  # julianday() has steps of a tenth of a millisecond


async def test_it_goes_on_within_one_transaction(any_database: Database) -> None:
    def twice(connection: Connection) -> tuple[float, float]:
        first = now(connection)
        time.sleep(0.02)
        return first, now(connection)

    for run in (any_database.read, any_database.write):
        first, second = await run(twice)
        assert 0.015 <= second - first < 5


async def test_it_can_be_stored_compared_and_added_to(any_database: Database) -> None:
    table = sa.table("leases", sa.column("until", sa.Float))

    def make(connection: Connection) -> None:
        connection.execute(sa.text("CREATE TABLE leases (until FLOAT)"))
        connection.execute(sa.insert(table).values(until=db_now() + 60.0))

    def held(where: Callable[[], sa.ColumnElement[bool]]) -> Callable[[Connection], int]:
        query = sa.select(sa.func.count()).select_from(table).where(where())
        return lambda connection: connection.execute(query).scalar_one()

    await any_database.write(make)
    assert await any_database.read(held(lambda: table.c.until > db_now() + 50.0)) == 1
    assert await any_database.read(held(lambda: table.c.until > db_now() + 70.0)) == 0
    assert await any_database.read(held(lambda: table.c.until < db_now())) == 0


async def test_leases_go_by_a_clock_that_nobody_sets(any_database: Database) -> None:
    """On one machine by its monotonic clock; where workers have machines of their own, by the database's."""
    query = sa.select(lease_now())
    clock = time.monotonic if any_database.dialect == "sqlite" else time.time
    for run in (any_database.read, any_database.write):
        before = clock()
        assert before - 0.1 <= await run(lambda c: c.execute(query).scalar_one()) <= clock() + 0.1
