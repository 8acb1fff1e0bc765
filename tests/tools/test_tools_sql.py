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


def test_postgresql_is_read_the_same_way(postgres_url: str) -> None:
    import psycopg

    url = postgres_url.replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE prices (name TEXT, price INTEGER)")
        connection.execute("INSERT INTO prices VALUES ('茶', 3)")
    assert read(url, "SELECT * FROM prices") == (["name", "price"], [("茶", 3)])
    for query in [*WRITES, "SET TRANSACTION READ WRITE; DELETE FROM prices", "SELECT pg_sleep(1)"]:
        with pytest.raises(MotetError):
            read(url, query, timeout_s=0.2)
    assert read(url, "SELECT count(*) FROM prices")[1] == [(1,)]
