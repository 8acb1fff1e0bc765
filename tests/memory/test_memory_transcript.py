"""The transcript, on each database: appended once, searchable in Chinese and English, deleted to the last trace."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import NoResultFound

from motet.events import Passage
from motet.memory import transcript
from motet.settings import StorageSettings
from motet.storage.clock import db_now
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import messages, threads


@pytest.fixture
def library(url: str) -> Iterator[Database]:
    """A database of each kind with two threads of one tenant, and one of another that has the first one's id."""
    settings = StorageSettings(database_url=url)
    database = Database(settings)
    try:
        prepare(database, settings)
        for tenant, thread in (("local", "one"), ("local", "two"), ("other", "one")):
            database.write_sync(lambda c, tenant=tenant, thread=thread: make_thread(c, tenant, thread))
        yield database
    finally:
        database.close()


def make_thread(connection: Connection, tenant_id: str, thread_id: str) -> None:
    row = {"tenant_id": tenant_id, "thread_id": thread_id, "owner_id": "me", "graph": "chat"}
    connection.execute(sa.insert(threads).values(**row, created_at=db_now(), updated_at=0.0))


def append(database: Database, text: str, message_id: str, *, thread: str = "one", **more: Any) -> int | None:
    given: dict[str, Any] = {"tenant_id": "local", "run_id": "r1", "role": "user"} | more
    return database.write_sync(
        lambda c: transcript.append(c, thread_id=thread, message_id=message_id, text=text, **given)
    )


def read(database: Database, thread: str = "one", *, tenant: str = "local", limit: int = 100) -> list[Any]:
    return list(database.read_sync(lambda c: transcript.read(c, tenant, thread, limit=limit)))


def search(database: Database, query: str, *, tenant: str = "local", limit: int = 10) -> list[str]:
    found = database.read_sync(lambda c: transcript.search(c, tenant, query, limit=limit))
    return [row.text for row in found]


def test_messages_are_numbered_in_their_thread(library: Database) -> None:
    assert [append(library, text, f"m{i}") for i, text in enumerate("abc")] == [1, 2, 3]
    assert append(library, "d", "m0", thread="two") == 1
    assert [(row.seq, row.text) for row in read(library)] == [(1, "a"), (2, "b"), (3, "c")]
    assert [row.text for row in read(library, limit=2)] == ["b", "c"]
    assert read(library, "nowhere") == []


def test_a_message_is_appended_once_and_its_first_text_stays(library: Database) -> None:
    assert append(library, "first", "m1") == 1
    assert append(library, "second", "m1") is None
    assert append(library, "next", "m2") == 2
    assert [row.text for row in read(library)] == ["first", "next"]
    assert search(library, "second") == []


def test_a_message_keeps_its_role_its_run_and_its_citations(library: Database) -> None:
    cited = [Passage(passage_id="p1", text="海上灯塔", source="a.md", page=3, score=0.5, number=1)]
    append(library, "See [1].", "m1", role="assistant", run_id="r7", citations=cited)
    [row] = read(library)
    assert (row.role, row.run_id, row.created_at > 0) == ("assistant", "r7", True)
    assert "海上灯塔" in row.citations  # readable in the database
    assert Passage.model_validate_json(row.citations[1:-1]) == cited[0]


def test_an_appended_message_says_that_its_thread_was_used(library: Database) -> None:
    append(library, "a", "m1")
    row = library.read_sync(lambda c: c.execute(sa.select(threads).where(threads.c.updated_at > 0)).one())
    assert (row.tenant_id, row.thread_id, row.last_message_seq) == ("local", "one", 1)


def test_a_message_of_no_thread_is_refused(library: Database) -> None:
    with pytest.raises(NoResultFound):
        append(library, "a", "m1", thread="nowhere")
    assert search(library, "a") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("灯塔", ["海上的灯塔很亮"]),
        ("LIGHTHOUSE", ["The lighthouses at sea"]),
        ("lighthouse 灯塔", ["The lighthouses at sea", "海上的灯塔很亮"]),
        ("用 python", ["用Python写代码"]),
        ("３.１４", ["pi is 3.14"]),
        ("nothing of that", []),
        ("", []),
        (" \n", []),
        ('"OR" NEAR(* -', []),
    ],
)
def test_messages_are_found_in_both_languages(library: Database, query: str, found: list[str]) -> None:
    for i, text in enumerate(
        ["The lighthouses at sea", "海上的灯塔很亮", "用Python写代码", "pi is 3.14", "", "😀"]
    ):
        append(library, text, f"m{i}", thread=("one", "two")[i % 2])
    assert sorted(search(library, query)) == sorted(found)


def test_the_best_match_comes_first_and_no_more_than_the_limit(library: Database) -> None:
    append(library, "a lighthouse among many other words that say nothing of it at all", "m1")
    append(library, "lighthouse, lighthouse", "m2")
    append(library, "the lighthouse keeper", "m3")
    assert search(library, "lighthouse")[0] == "lighthouse, lighthouse"
    assert len(search(library, "lighthouse", limit=2)) == 2


def test_another_tenants_messages_are_neither_read_nor_found(library: Database) -> None:
    append(library, "psaltery", "m1", tenant_id="other")
    assert append(library, "mine", "m1") == 1
    assert [row.text for row in read(library)] == ["mine"]
    assert search(library, "psaltery") == []
    assert search(library, "psaltery", tenant="other") == ["psaltery"]


def test_a_deleted_thread_leaves_no_row_and_nothing_in_the_index(library: Database) -> None:
    append(library, "gone 灯塔", "m1")
    append(library, "gone too", "m2")
    append(library, "stays 灯塔", "m3", thread="two")
    append(library, "psaltery", "m1", tenant_id="other")
    for _ in range(2):  # a second time does nothing
        library.write_sync(lambda c: transcript.delete(c, "local", "one"))
    assert read(library) == []
    assert search(library, "gone") == []
    assert search(library, "灯塔") == ["stays 灯塔"]
    left = "SELECT count(*) FROM fts_messages"
    assert library.read_sync(lambda c: c.execute(sa.text(left)).scalar()) == 2
    assert library.read_sync(lambda c: c.execute(sa.select(sa.func.count(messages.c.seq))).scalar()) == 2


def test_a_message_whose_transaction_fails_is_not_found(library: Database) -> None:
    def half(connection: Connection) -> None:
        transcript.append(
            connection,
            tenant_id="local",
            thread_id="one",
            run_id="r1",
            message_id="m1",
            role="user",
            text="half",
        )
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="middle"):
        library.write_sync(half)
    assert search(library, "half") == []
    assert append(library, "whole", "m1") == 1


def test_messages_move_behind_those_that_came_after_them(library: Database) -> None:
    def said(c: Connection) -> list[str]:
        return [row.text for row in transcript.read_all(c, "local", "one")]

    def work(c: Connection) -> None:
        of: Any = {"tenant_id": "local", "thread_id": "one", "run_id": "r", "role": "user"}
        for name in ("a", "b", "c", "d"):
            transcript.append(c, **of, message_id=name, text=name)
        transcript.move_to_end(c, "local", "one", ["b", "a", "unknown"])
        assert said(c) == ["c", "d", "a", "b"]
        transcript.move_to_end(c, "local", "one", ["b"])  # is there already
        transcript.move_to_end(c, "local", "one", [])
        transcript.move_to_end(c, "local", "nowhere", ["a"])
        assert transcript.append(c, **of, message_id="e", text="e") == 7
        assert said(c) == ["c", "d", "a", "b", "e"]

    library.write_sync(work)
