"""Questions to a database that the settings name: read-only, one statement, few rows, little time.

What does not live here: Motet's own database. Three things keep it read-only: how it is opened, what the database
itself is told, and that nothing is ever committed. A role that may only read is a fourth, and the operator's.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from motet.errors import ExtraMissing, InvalidInput, SettingInvalid, ToolFailed
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

MAX_ROWS = 100
_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    getattr(sqlite3, "SQLITE_RECURSIVE", 33),
}
_NOT_CALLED = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_PRAGMAS = {"table_info", "table_list", "table_xinfo", "index_list", "index_info", "foreign_key_list"}


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
        connection.set_authorizer(_authorize)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000_000)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        cursor = connection.execute(query)
        rows = cursor.fetchmany(MAX_ROWS + 1)
        return [column[0] for column in cursor.description or ()], rows
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise ToolFailed(
                f"The query takes longer than {timeout_s:g} s. Ask for less.", tool="sql"
            ) from None
        raise InvalidInput(f"The query is wrong: {error}.") from None
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise InvalidInput(f"The query is not run: {error}. Write one SELECT statement.") from None
    finally:
        connection.close()


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
    except ImportError:
        raise ExtraMissing("PostgreSQL needs its driver: pip install 'motet[postgres]'.") from None
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.read_only = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", (str(int(timeout_s * 1000)),)
                )
                # A prepared statement is one statement: the server refuses two.
                cursor.execute(query, prepare=True)  # pyright: ignore[reportArgumentType, reportCallIssue]
                rows = cursor.fetchmany(MAX_ROWS + 1) if cursor.description else []
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


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not names:
        return "The statement gave nothing."
    lines = [" | ".join(names), *(" | ".join(_cell(value) for value in row) for row in rows[:MAX_ROWS])]
    more = (
        f"\n… more than {MAX_ROWS} rows; ask for fewer" if len(rows) > MAX_ROWS else f"\n({len(rows)} rows)"
    )
    return "\n".join(lines) + more


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return cut(" ".join(str("" if value is None else value).split()), 200)
