"""Words of the full-text index: stems as the index has them, and lengths of any size."""

import sqlalchemy as sa

from motet.storage import fulltext
from motet.storage.engine import Database
from motet.storage.postings import Stems, numbers, read_lengths, read_postings


def test_stems_are_those_of_the_index() -> None:
    stems = Stems()
    assert stems.of(["ferries", "ferry", "sailing", "café"]) == ["ferri", "sail", "cafe"]
    assert stems.of(["渡轮", "渡轮", "…"]) == ["渡轮"]
    assert stems.of([]) == []
    stems.close()
    stems.close()
    assert stems.of(["dogs", "ferry"]) == ["dog", "ferri"]
    stems.close()


def test_rows_and_lengths_are_read_from_a_key_on(database: Database) -> None:
    rows = [(1, "ferry " * 3), (2, "dog"), (7, "ferries " + "dog " * 20_000), (9, "a ferry")]

    def work(connection: sa.Connection) -> None:
        fulltext.add(connection, "passages", rows)
        keys, counts = read_postings(connection, "passages", "ferri", after=0)
        assert (keys.tolist(), counts.tolist()) == ([1, 7, 9], [3, 1, 1])
        keys, _ = read_postings(connection, "passages", "ferri", after=7)
        assert keys.tolist() == [9]
        assert read_postings(connection, "passages", "cat", after=0)[0].tolist() == []
        some = sa.select(sa.column("value", sa.Integer)).select_from(sa.text("json_each('[1, 2, 7, 9]')"))
        keys, lengths = read_lengths(connection, "passages", some)
        assert (keys.tolist(), lengths.tolist()) == ([1, 2, 7, 9], [3, 1, 20_001, 2])

    database.write_sync(work)
    made = sa.text("SELECT count(*) FROM temp.sqlite_master")

    def read(connection: sa.Connection) -> int:
        assert read_postings(connection, "passages", "dog", after=0)[0].tolist() == [2, 7]
        return connection.execute(made).scalar_one()

    assert database.read_sync(read) == 0, (
        "what a reader makes goes with its transaction, and the schema is read anew"
    )
    assert numbers(None).tolist() == []
