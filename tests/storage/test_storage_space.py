"""What takes the space, on both databases: every byte has a kind, and what grows is said to grow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from encrypted_home import talk
from sqlalchemy import event

from motet.runs.request import LOCAL_TENANT
from motet.storage import fulltext
from motet.storage import tables as t
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.space import Space, folder_bytes, measure, thread_sizes, total_bytes

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from motet import Settings

DIMENSION, PASSAGES = 384, 200


@contextmanager
def opened(settings: Settings) -> Generator[Database]:
    database = Database(settings.storage)
    try:
        prepare(database, settings.storage)
        yield database
    finally:
        database.close()


def add_passages(connection: Connection) -> None:
    document: dict[str, Any] = {
        "tenant_id": LOCAL_TENANT,
        "collection": "c",
        "source": "s",
        "content_hash": "h",
    }
    insert = (
        sa.insert(t.documents)
        .values(**document, size_bytes=1, added_at=0)
        .returning(t.documents.c.document_key)
    )
    key = connection.execute(insert).scalar_one()
    rows = [
        {
            "tenant_id": LOCAL_TENANT,
            "collection": "c",
            "document_key": key,
            "passage_id": f"p{n}",
            "ordinal": n,
            "start": 0,
            "end": 9,
            "text": f"灯塔 lighthouse {n}",
            "vector": bytes((n * 7 + i * 31) % 251 for i in range(DIMENSION * 4)),
        }
        for n in range(PASSAGES)
    ]
    connection.execute(sa.insert(t.passages), rows)
    fulltext.add(connection, "passages", [(n + 1000, f"灯塔 lighthouse {n} " * 20) for n in range(PASSAGES)])


def sizes(space: Space) -> dict[str, int]:
    return {kind.name: kind.size_bytes for kind in space.kinds}


def counts(space: Space) -> dict[str, int | None]:
    return {kind.name: kind.rows for kind in space.kinds}


def long_message(connection: Connection) -> None:
    change = sa.update(t.messages).where(t.messages.c.seq == 1)
    connection.execute(change.values(text="".join(chr(0x4E00 + n * n % 20_000) for n in range(100_000))))


async def test_every_byte_has_a_kind_and_what_grows_is_said_to_grow(plain: Settings) -> None:
    await talk(plain)
    with opened(plain) as database:
        before = measure(database)
        assert before.by_pages
        assert sum(sizes(before).values()) == pytest.approx(total_bytes(database), rel=0.01)
        rows = database.read_sync(
            lambda c: c.execute(sa.select(sa.func.count()).select_from(t.events)).scalar()
        )
        assert counts(before)["events"] == rows
        assert counts(before)["transcript"] == counts(before)["full text"]
        assert counts(before)["runs"] == 4
        assert (counts(before)["vectors"], sizes(before)["vectors"]) == (0, 0)
        assert counts(before)["memories"] == 1
        assert sizes(before)["checkpoints"] > 0
        database.write_sync(add_passages)
        after = measure(database)
        assert sum(sizes(after).values()) == pytest.approx(total_bytes(database), rel=0.01)
        assert counts(after)["documents and passages"] == counts(after)["vectors"] == PASSAGES
        assert sizes(after)["vectors"] >= PASSAGES * DIMENSION * 4
        assert sizes(after)["full text"] > sizes(before)["full text"]
        assert sizes(after)["transcript"] == sizes(before)["transcript"]
        database.write_sync(long_message)
        assert sizes(measure(database))["transcript"] > sizes(before)["transcript"] + 200_000


async def test_without_dbstat_values_are_summed_and_that_is_said(plain: Settings) -> None:
    await talk(plain)
    with opened(plain) as database:
        if database.dialect != "sqlite":
            pytest.skip("PostgreSQL always knows its pages")
        by_pages = measure(database)

        @event.listens_for(database.engine, "connect")
        def _hide(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
            connection.execute("CREATE TEMP VIEW dbstat AS SELECT * FROM a_table_that_is_not_there")

        database.engine.dispose()
        by_values = measure(database)
        assert not by_values.by_pages
        assert counts(by_values) == counts(by_pages)
        for name in ("transcript", "checkpoints", "events", "full text", "memories"):
            assert 0 < sizes(by_values)[name] < sizes(by_pages)[name]
        assert sum(sizes(by_values).values()) == total_bytes(database)
        longest = sa.select(sa.func.sum(sa.func.length(t.messages.c.text)))
        chars = database.read_sync(lambda c: c.execute(longest).scalar_one())
        assert sizes(by_values)["transcript"] > chars > 0


async def test_the_largest_thread_is_first_and_other_tenants_are_not_there(plain: Settings) -> None:
    await talk(plain, "one")
    await talk(plain, "two")
    with opened(plain) as database:
        database.write_sync(
            lambda c: (
                long_message(c)
                or c.execute(
                    sa.update(t.messages).where(t.messages.c.thread_id == "one").values(text="short")
                )
            )
        )
        found = database.read_sync(lambda c: thread_sizes(c, LOCAL_TENANT))
        assert [one.thread_id for one in found] == ["two", "one"]
        assert found[0].size_bytes - found[1].size_bytes > 200_000
        assert all(0 < one.old_checkpoints_bytes < found[1].size_bytes for one in found)
        assert database.read_sync(lambda c: thread_sizes(c, "other")) == []


def test_a_folder_is_the_sum_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_bytes(bytes(1000))
    (tmp_path / "a" / "two").write_bytes(bytes(24))
    assert folder_bytes(tmp_path) == (2, 1024)
    assert folder_bytes(tmp_path / "not there") == (0, 0)
