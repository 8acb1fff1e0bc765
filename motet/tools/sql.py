"""Questions to a database that the settings name: read-only, one statement, few rows, little time.

What does not live here: Motet's own database. Three things keep it read-only: how it is opened, what the database
itself is told, and that nothing is ever committed. A role that may only read is a fourth, and the operator's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from motet.errors import ExtraMissing, InvalidInput, SettingInvalid, ToolFailed
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

MAX_ROWS = 100
MAX_BYTES = 2_000_000
"""Of an answer's cells together, about; the rows that would be more are left out."""
_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    getattr(sqlite3, "SQLITE_RECURSIVE", 33),
}
_NOT_CALLED = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_ASKS = re.compile(
    r"(?:\s|\(|--[^\r\n]*+|/\*(?:(?!/\*|\*/).)*+\*/)*+(?:select|with|values|table|explain|show)\b",
    re.DOTALL | re.IGNORECASE,
)
"""How what only asks begins on PostgreSQL: COPY and DO reach files and programs in a read-only transaction too.

A comment inside of a comment is not read: PostgreSQL knows them, and what stands behind could be taken for its end."""
_AS_TEXT = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "json", "jsonb")
"""Types that are shown as PostgreSQL writes them: it knows years and infinities that Python does not."""
_PRAGMAS = {
    "data_version",
    "table_info",
    "table_list",
    "table_xinfo",
    "index_list",
    "index_info",
    "foreign_key_list",
}


class Arguments(BaseModel):
    """What the tool is given."""

    query: str = Field(description="One SELECT statement", min_length=1, max_length=10_000)


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None where no database is named."""
    url = context.settings.sql_url.reveal()
    if not url:
        return None
    limit, timeout_s = context.settings.max_output_chars, context.settings.timeout_s

    async def sql(query: str) -> str:
        names, rows = await asyncio.to_thread(read, url, query, timeout_s=timeout_s)
        return cut(_table(names, rows), limit)

    return as_tool(
        sql,
        name="sql",
        description="Read from the database with one SELECT statement. "
        "The tables stand in sqlite_schema or information_schema.tables.",
        arguments=Arguments,
        access="read",
    )


def read(url: str, query: str, *, timeout_s: float = 30.0) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Ask a database one question.

    Args:
        url: `sqlite:///path` or `postgresql://…`.
        query: One statement that reads.
        timeout_s: It is broken off after so long.

    Returns:
        The columns' names and at most 101 rows.

    Raises:
        InvalidInput: The statement is wrong, writes, or is more than one.
        ToolFailed: It takes too long, or the database is not there.
    """
    if url.startswith("sqlite:///"):
        return _read_sqlite(url.removeprefix("sqlite:///"), query, timeout_s)
    if url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        return _read_postgres(url.replace("+psycopg", "", 1), query, timeout_s)
    raise SettingInvalid(
        "MOTET_SQL_URL begins neither with sqlite:/// nor postgresql://.", setting="tools.sql_url"
    )


def _read_sqlite(path: str, query: str, timeout_s: float) -> tuple[list[str], list[tuple[Any, ...]]]:
    deadline = time.monotonic() + timeout_s
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=min(timeout_s, 5.0))
    except sqlite3.Error as error:
        raise ToolFailed(f"The database cannot be opened: {error}.", tool="sql") from None
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA trusted_schema = 0")
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        _connect_modules(connection)
        connection.set_authorizer(_authorize)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        cursor = connection.execute(query)
        rows = _some(cursor)
        return [column[0] for column in cursor.description or ()], rows
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise ToolFailed(
                f"The query takes longer than {timeout_s:g} s. Ask for less.", tool="sql"
            ) from None
        raise InvalidInput(f"The query is wrong: {error}.") from None
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise InvalidInput(
            f"The query is not run: {str(error).rstrip('.')}. Write one SELECT statement."
        ) from None
    finally:
        connection.close()


def _connect_modules(connection: sqlite3.Connection) -> None:
    """Have virtual tables made ready, full text and `json_each` for example: what they do for it is no reading."""
    named = (
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' LIMIT 100"
    )
    tables = ['"' + name.replace('"', '""') + '"' for (name,) in connection.execute(named).fetchall()]
    for table in (*tables, "json_each('[]')", "json_tree('[]')", "pragma_table_info('x')"):
        with contextlib.suppress(sqlite3.Error):  # of a module that is not there
            connection.execute(f"SELECT 1 FROM {table} LIMIT 0")  # noqa: S608  # the file's own names, quoted


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Let a statement read; nothing else. SQLite asks for each thing that a statement would do."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in _NOT_CALLED else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if (first or "").lower() in _PRAGMAS else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _read_postgres(url: str, query: str, timeout_s: float) -> tuple[list[str], list[tuple[Any, ...]]]:
    try:
        import psycopg  # noqa: PLC0415  # an extra
        from psycopg.types.string import TextLoader  # noqa: PLC0415
    except ImportError:
        raise ExtraMissing("PostgreSQL needs its driver: pip install 'motet[postgres]'.") from None
    if not _ASKS.match(query):
        raise InvalidInput("The query is not run: it does not begin with SELECT. Write one SELECT statement.")
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            if connection.info.parameter_status("is_superuser") == "on":
                raise ToolFailed(_TOO_MIGHTY, tool="sql")
            connection.read_only = True
            for kind in _AS_TEXT:
                connection.adapters.register_loader(kind, TextLoader)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", (str(int(timeout_s * 1000)),)
                )
                # Row by row, by the extended protocol: the server refuses two statements in it.
                with contextlib.closing(cursor.stream(query)) as answer:  # pyright: ignore[reportArgumentType]
                    rows = _some(answer)
                names = [column.name for column in cursor.description or ()]
            connection.rollback()
            return names, rows
    except psycopg.errors.QueryCanceled:
        raise ToolFailed(f"The query takes longer than {timeout_s:g} s. Ask for less.", tool="sql") from None
    except psycopg.OperationalError as error:
        raise ToolFailed(
            f"The database cannot be reached: {str(error).splitlines()[0]}", tool="sql"
        ) from None
    except psycopg.Error as error:
        raise InvalidInput(
            f"The query is not run: {str(error).splitlines()[0]}. Write one SELECT statement."
        ) from None


_TOO_MIGHTY = (
    "The database's role is a superuser, whose SELECT can read and write files of the database's machine: nothing is "
    "asked. Give MOTET_SQL_URL a role that may only read: CREATE ROLE reader LOGIN PASSWORD '…'; "
    "GRANT pg_read_all_data TO reader;"
)


def _some(found: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the first rows of an answer: as many as are shown and one more, and no more than there is room for."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in found:
        rows.append(row)
        size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        if len(rows) > MAX_ROWS or size > MAX_BYTES:
            break
    return rows


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not names:
        return "The statement gave no rows."
    lines = [" | ".join(names), *(" | ".join(_cell(value) for value in row) for row in rows[:MAX_ROWS])]
    more = (
        f"\n… more than {MAX_ROWS} rows; ask for fewer" if len(rows) > MAX_ROWS else f"\n({len(rows)} rows)"
    )
    return "\n".join(lines) + more


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return cut(" ".join(str("" if value is None else value).split()), 200)
