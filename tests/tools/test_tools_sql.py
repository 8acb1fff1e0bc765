"""Questions to a database: what can be read, and that nothing else can be done."""

import sqlite3
from pathlib import Path

import pytest

from motet.errors import InvalidInput, MotetError, ToolFailed
from motet.secret import Secret
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.sql import build, read


@pytest.fixture
def url(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE prices (name TEXT, price INTEGER)")
        connection.executemany("INSERT INTO prices VALUES (?, ?)", [("茶", 3), ("tea", 4)])
    connection.close()
    return f"sqlite:///{path}"


async def test_a_question(url: str) -> None:
    tool = build(ToolContext(ToolSettings(sql_url=Secret(url))))
    assert tool is not None
    said = await tool.ainvoke({"query": "SELECT name, price FROM prices ORDER BY price"})
    assert said == "name | price\n茶 | 3\ntea | 4\n(2 rows)"
    assert "prices" in await tool.ainvoke({"query": "SELECT sql FROM sqlite_schema"})
    assert "more than 100 rows" in await tool.ainvoke(
        {"query": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 500) SELECT x FROM n"}
    )
    assert build(ToolContext(ToolSettings())) is None


WRITES = [
    "INSERT INTO prices VALUES ('x', 1)",
    "DELETE FROM prices",
    "DROP TABLE prices",
    "UPDATE prices SET price = 0",
    "CREATE TABLE x (y)",
    "SELECT 1; DELETE FROM prices",
    "COMMIT; DROP TABLE prices",
    "WITH x AS (SELECT 1) DELETE FROM prices",
    "SELECT * FROM nothing",
    "SELEC",
]


@pytest.mark.parametrize(
    "query",
    [
        *WRITES,
        "ATTACH '/tmp/motet-x.db' AS x",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('x')",
        "VACUUM INTO '/tmp/motet-x.db'",
        "BEGIN",
        "",
    ],
)
def test_nothing_is_written(url: str, query: str) -> None:
    before = Path(url.removeprefix("sqlite:///")).read_bytes()
    try:
        read(url, query)
    except InvalidInput:
        pass
    else:
        assert query == ""
    assert Path(url.removeprefix("sqlite:///")).read_bytes() == before
    assert not Path("/tmp/motet-x.db").exists()


def test_a_question_has_an_end(url: str) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(ToolFailed, match=r"longer than 0.1 s"):
        read(url, endless, timeout_s=0.1)
    with pytest.raises(ToolFailed, match="cannot be opened"):
        read("sqlite:////nowhere/x.db", "SELECT 1")
    with pytest.raises(MotetError, match="MOTET_SQL_URL"):
        read("mysql://x", "SELECT 1")


def test_an_answer_takes_little_room_and_shows_texts_of_any_encoding(url: str) -> None:
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100) SELECT zeroblob(900000) FROM n"
    assert len(read(url, many)[1]) == 3  # of 90 MB
    with pytest.raises(InvalidInput, match="too big"):
        read(url, "SELECT zeroblob(9000000)")
    assert "茶" not in read(url, "SELECT CAST(x'b2e8' AS TEXT) || '!'")[1][0][0]
    with pytest.raises(InvalidInput, match=r"at a time\. Write one"):
        read(url, "SELECT 1; SELECT 2")


def test_virtual_tables_are_read_and_not_written(url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute('CREATE VIRTUAL TABLE "a ""note" USING fts5(text)')
        connection.execute("""INSERT INTO "a ""note" VALUES ('green tea')""")
    connection.close()
    assert read(url, """SELECT text FROM "a ""note" WHERE "a ""note" MATCH 'tea'""")[1] == [("green tea",)]
    assert read(url, "SELECT value FROM json_each('[1, 2]')")[1] == [(1,), (2,)]
    for query in (
        """DELETE FROM "a ""note\"""",
        """INSERT INTO "a ""note"("a ""note") VALUES ('optimize')""",
    ):
        with pytest.raises(InvalidInput, match="not authorized"):
            read(url, query)


@pytest.fixture
def postgres_reader(postgres_url: str) -> str:
    """The address of a role that may read and, in a transaction that writes, change the table of prices."""
    import psycopg

    url = postgres_url.replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE prices (name TEXT, price INTEGER)")
        connection.execute("INSERT INTO prices VALUES ('茶', 3)")
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA public TO reader; GRANT ALL ON prices TO reader")
    return url.replace("//motet@", "//reader@")


def test_postgresql_is_read_the_same_way(postgres_reader: str) -> None:
    url = postgres_reader
    assert read(url, "SELECT * FROM prices") == (["name", "price"], [("茶", 3)])
    for query in [*WRITES, "SET TRANSACTION READ WRITE; DELETE FROM prices", "SELECT pg_sleep(1)"]:
        with pytest.raises(MotetError):
            read(url, query, timeout_s=0.2)
    assert read(url, "/* how many */ -- of them\n (SELECT count(*) FROM prices)")[1] == [(1,)]
    assert read(url, "SELECT 'infinity'::date, '{\"a\": true}'::json")[1] == [("infinity", '{"a": true}')]


def test_postgresql_is_not_asked_for_more_than_is_shown(postgres_reader: str) -> None:
    names, rows = read(postgres_reader, "SELECT generate_series(1, 1000000000)", timeout_s=20)
    assert (names, len(rows)) == (["generate_series"], 101)
    assert len(read(postgres_reader, "SELECT repeat('x', 900000) FROM generate_series(1, 1000)")[1]) == 3


def test_nobody_is_asked_as_a_superuser(postgres_url: str) -> None:
    with pytest.raises(ToolFailed, match=r"superuser.*pg_read_all_data"):
        read(postgres_url, "SELECT 1")


@pytest.mark.parametrize(
    "before", ["", "-- \r", "/* /* */ select */", "/* select */", "-- select\n", "(", "/**/" * 2000, "DO $$ "]
)
def test_postgresql_is_asked_nothing_that_does_not_begin_with_a_question(before: str) -> None:
    """Whatever stands in front: COPY starts programs also where nothing may be written. No server is needed."""
    with pytest.raises(InvalidInput, match="begin with SELECT"):
        read("postgresql://127.0.0.1:1/x", f"{before}COPY (SELECT 1) TO PROGRAM 'id' --\nselect")
