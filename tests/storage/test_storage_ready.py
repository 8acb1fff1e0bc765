"""Statements that are made ready once do what SQLAlchemy does with them."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, OperationalError

from motet.errors import MotetError
from motet.storage.clock import db_now
from motet.storage.engine import Database
from motet.storage.ready import Ready

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer),
    sa.Column("is_round", sa.Boolean),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("more", sa.JSON),
    sa.Column("at", sa.Float),
)
PUT = sa.insert(things)
ONE: dict[str, Any] = {
    "name": "球",
    "size": 3,
    "is_round": True,
    "raw": b"\0\xff",
    "more": {"a": [1]},
    "at": 0.5,
}
TWO: dict[str, Any] = {"name": "box", "size": None, "is_round": False, "raw": None, "more": None, "at": None}


@pytest.fixture
def database(any_database: Database) -> Database:
    any_database.write_sync(things.metadata.create_all)
    return any_database


def test_rows_come_back_as_they_would_otherwise(database: Database) -> None:
    whole = sa.select(things).where(things.c.size > sa.bindparam("least")).order_by(things.c.name)
    database.write_sync(lambda c: Ready(PUT).do(c, ONE, TWO | {"size": 5}))
    slow = database.read_sync(lambda c: c.execute(whole, {"least": 1}).all())
    quick = database.read_sync(lambda c: Ready(whole).all(c, {"least": 1}))
    assert [tuple(row) for row in quick] == [tuple(row) for row in slow]
    assert quick[1].more == {"a": [1]}
    assert quick[1].is_round is True
    assert database.read_sync(lambda c: Ready(whole).first(c, {"least": 4})).name == "box"
    assert database.read_sync(lambda c: Ready(whole).first(c, {"least": 9})) is None


def test_an_insert_takes_the_names_that_it_is_given(database: Database) -> None:
    put = Ready(PUT.values(at=db_now()).returning(things.c.name, things.c.at))
    first = database.write_sync(lambda c: put.first(c, {"name": "a"}))
    database.write_sync(lambda c: put.do(c, {"name": "b", "size": 2}))
    assert first.at > 1_700_000_000
    rows = database.read_sync(lambda c: c.execute(sa.select(things.c.name, things.c.size)).all())
    assert sorted(map(tuple, rows)) == [("a", None), ("b", 2)]


def test_what_is_raised_undoes_the_transaction_and_is_sqlalchemys(database: Database) -> None:
    put = Ready(PUT)

    def twice(connection: sa.Connection) -> None:
        put.do(connection, ONE)
        with pytest.raises(IntegrityError):
            put.do(connection, ONE)
        raise RuntimeError(connection.dialect.name)

    with pytest.raises(RuntimeError, match="sql"):
        database.write_sync(twice)
    assert (
        database.read_sync(lambda c: c.execute(sa.select(sa.func.count()).select_from(things)).scalar()) == 0
    )
    gone = Ready(sa.select(sa.column("x")).select_from(sa.table("nowhere")))
    with pytest.raises(MotetError, match="nowhere"):
        database.read_sync(gone.first)


def test_a_savepoint_undoes_it_alone(database: Database) -> None:
    put = Ready(PUT)

    def work(connection: sa.Connection) -> None:
        put.do(connection, ONE)
        savepoint = connection.begin_nested()
        put.do(connection, TWO)
        savepoint.rollback()

    database.write_sync(work)
    names = database.read_sync(lambda c: c.execute(sa.select(things.c.name)).scalars().all())
    assert names == ["球"]


def test_a_value_that_is_missing_is_named(database: Database) -> None:
    query = Ready(sa.select(things).where(things.c.name == sa.bindparam("asked")))
    with pytest.raises(Exception, match="asked"):
        database.read_sync(lambda c: query.first(c, {"other": 1}))


def test_a_value_that_one_of_several_rows_lacks_is_named_and_none_is_written(database: Database) -> None:
    lacking = {"name": "b"}
    with pytest.raises(Exception, match="size"):
        database.write_sync(lambda c: Ready(PUT).do(c, {"name": "a", "size": 1}, lacking))
    assert database.read_sync(lambda c: c.execute(sa.select(things)).all()) == []


def test_two_reads_of_a_transaction_see_one_moment(sqlite_database: Database) -> None:
    sqlite_database.write_sync(things.metadata.create_all)
    every = Ready(sa.select(things))

    def look(connection: sa.Connection) -> list[int]:
        before = every.all(connection)
        sqlite_database.write_sync(lambda c: Ready(PUT).do(c, ONE))
        return [len(before), len(every.all(connection))]

    assert sqlite_database.read_sync(look) == [0, 0]
    assert len(sqlite_database.read_sync(every.all)) == 1


def test_a_list_among_the_parameters_is_left_to_sqlalchemy(database: Database) -> None:
    these = Ready(sa.select(things.c.name).where(things.c.name.in_(sa.bindparam("these", expanding=True))))
    database.write_sync(lambda c: Ready(PUT).do(c, ONE, TWO))
    rows = database.read_sync(lambda c: these.all(c, {"these": ["box", "none"]}))
    assert [tuple(row) for row in rows] == [("box",)]


def test_an_error_of_the_driver_has_sqlalchemys_class(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    insert = Ready(sqlite.insert(things).on_conflict_do_nothing())
    with engine.connect() as connection, pytest.raises(OperationalError, match="no such table"):
        insert.do(connection, ONE)
    engine.dispose()
