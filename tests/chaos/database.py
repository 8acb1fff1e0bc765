"""Reads the database with plain SQL, so that Motet's own reading code vouches for nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import make_url

_RUNS = (
    "SELECT run_id, thread_id, status, last_seq, idempotency_key, attempt, fence, created_at, ended_at, error "
    "FROM runs ORDER BY position"
)
_EVENTS = "SELECT run_id, seq, at, event FROM events ORDER BY run_id, seq"
_MESSAGES = "SELECT run_id, thread_id, seq, role, text FROM messages ORDER BY thread_id, seq"


@dataclass(frozen=True)
class Rows:
    """What the database holds, each row as a dictionary."""

    runs: list[dict[str, Any]]
    """In the order of acceptance."""
    events: list[dict[str, Any]]
    """With `type`; `at` is the database's clock's."""
    messages: list[dict[str, Any]]
    integrity: str
    """`ok`, or what SQLite's own check found; `ok` for PostgreSQL, which has no such check."""


def read_rows(url: str) -> Rows:
    """Read everything that the checker compares. The database may be in use."""
    if url.startswith("sqlite"):
        return _rows(*_from_sqlite(str(make_url(url).database)))
    return _rows(*_from_postgres(url), "ok")


def _from_sqlite(file: str) -> tuple[list[Any], list[Any], list[Any], str]:
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
        runs, events, messages = (connection.execute(q).fetchall() for q in (_RUNS, _EVENTS, _MESSAGES))
        return runs, events, messages, integrity


def _from_postgres(url: str) -> tuple[list[Any], list[Any], list[Any]]:
    import psycopg
    from psycopg.rows import dict_row

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    factory: Any = dict_row
    with psycopg.connect(plain, row_factory=factory) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        runs, events, messages = (connection.execute(q).fetchall() for q in (_RUNS, _EVENTS, _MESSAGES))
        return runs, events, messages


def _rows(runs: list[Any], events: list[Any], messages: list[Any], integrity: str) -> Rows:
    told = [
        {
            "run_id": row["run_id"],
            "seq": row["seq"],
            "at": row["at"],
            "type": json.loads(row["event"])["type"],
        }
        for row in events
    ]
    return Rows([dict(row) for row in runs], told, [dict(row) for row in messages], integrity)
