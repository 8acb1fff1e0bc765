import dataclasses
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from motet.errors import MotetBug
from motet.settings import Settings
from motet.storage import fulltext
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.search import fts_document

TEXTS = [
    (1, "An adult ticket costs 64 crowns; tickets for children cost half."),
    (2, "渡轮的成人票价是四十二元，儿童票半价。"),
    (3, "The office opens at nine o'clock."),
    (4, "Nothing of interest."),
]


def keys(database: Database, query: str, scopes: tuple[str, ...] = ("a",), limit: int = 9) -> list[int]:
    found = database.read_sync(lambda c: fulltext.search(c, "passages", query, scopes=scopes, limit=limit))
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    return [hit.key for hit in found]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    storage = settings.storage
    if request.param == "postgresql":
        storage = dataclasses.replace(storage, database_url=request.getfixturevalue("postgres_url"))
    database = Database(storage)
    try:
        prepare(database, storage)
        yield database
    finally:
        database.close()


@pytest.fixture
def filled(database: Database) -> Database:
    def work(connection: sa.Connection) -> None:
        fulltext.add(connection, "passages", TEXTS, scope="a")
        fulltext.add(connection, "passages", [(9, "An adult of another scope.")], scope="b")
        fulltext.add(connection, "messages", [(1, "An adult in another index.")], scope="a")

    database.write_sync(work)
    return database


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ticket", [1]),
        ("TICKETS", [1]),
        ("儿童票", [2]),
        ("票价是多少", [2]),
        ("o'clock", [3]),
        ("zebra", []),
        ("", []),
        ("?!。", []),
        ('" OR adult) NOT * scope:b', [1]),
    ],
)
def test_words_of_both_languages_are_found(filled: Database, query: str, found: list[int]) -> None:
    assert keys(filled, query) == found


def test_a_search_sees_its_scopes_only(filled: Database) -> None:
    assert keys(filled, "adult", ("b",)) == [9]
    assert sorted(keys(filled, "adult", ("a", "b"))) == [1, 9]
    assert keys(filled, "adult", ("A", "a b", "", '"a"')) == []
    assert keys(filled, "adult", ()) == []
    assert keys(filled, "b a", ("a",)) == [], "a scope is no word of the text"


def test_the_limit_holds_and_rare_words_weigh_more(database: Database) -> None:
    rows = [(n, "common words") for n in range(1, 30)] + [
        (30, "common sardines"),
        (31, "common sardines and more"),
    ]
    database.write_sync(lambda c: fulltext.add(c, "passages", rows, scope="a"))
    assert keys(database, "common sardines", limit=3)[:2] == [30, 31]
    assert len(keys(database, "common sardines", limit=3)) == 3
    assert keys(database, "common", limit=0) == []


def test_the_newest_that_match_are_found_the_newest_first(filled: Database) -> None:
    def newest(query: str, *scopes: str, limit: int = 9) -> list[int]:
        return filled.read_sync(lambda c: fulltext.newest(c, "passages", query, scopes=scopes, limit=limit))

    assert newest("office ticket 票价", "a") == [3, 2, 1]
    assert newest("office ticket 票价", "a", limit=2) == [3, 2]
    assert newest("adult", "a", "b") == [9, 1]
    assert newest('" OR adult) NOT * scope:b', "a") == [1]
    assert newest("?!。", "a") == newest("adult") == newest("adult", "a", limit=0) == []


def test_deleted_rows_are_not_found(filled: Database) -> None:
    filled.write_sync(lambda c: fulltext.delete(c, "passages", [1, 777]))
    assert keys(filled, "adult") == []
    assert keys(filled, "adult", ("b",)) == [9]


def test_documents_that_were_made_elsewhere_are_taken_as_they_are(database: Database) -> None:
    made = [(1, fts_document("渡轮票价"))]
    database.write_sync(lambda c: fulltext.add(c, "passages", made, scope="a", made=True))
    assert keys(database, "票价") == [1]


def test_creating_again_keeps_what_is_there(filled: Database) -> None:
    filled.write_sync(fulltext.create)
    assert keys(filled, "ticket") == [1]


def test_an_unknown_index_is_a_bug(database: Database) -> None:
    with pytest.raises(MotetBug, match="nonsense"):
        database.read_sync(lambda c: fulltext.search(c, "nonsense", "x", limit=1))
