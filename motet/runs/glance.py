"""Conversations at a glance: the newest, read from a SQLite file that is ready, by the standard library alone.

What does not live here: every other way to find conversations (`records`). A list is what people look at between two
commands; SQLAlchemy and the records' classes take several times as long to import as this takes to answer.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from motet.storage.probe import HEAD, FileKind, plain_file, probe

if TYPE_CHECKING:
    from motet.settings import StorageSettings

LOCAL_TENANT = "local"
"""The tenant of the command line, and of a server without others."""


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """A thread as it stands on disk; `request.ThreadRecord` says what the fields mean."""

    thread_id: str
    title: str
    graph: str
    metadata: dict[str, Any]
    created_at: float
    updated_at: float
    messages: int
    status: Literal["idle", "busy", "interrupted"]
    tags: list[str]
    ttl_s: float | None


def newest_threads(
    settings: StorageSettings, *, limit: int, tenant_id: str = LOCAL_TENANT
) -> list[ThreadFacts] | None:
    """Return a tenant's threads, the one used last first; length 0..limit.

    None where a glance is not enough, and the database has to be opened: it is not a SQLite file that this version
    wrote last and may write, or it is encrypted, damaged or locked. `records.Records.threads` tells the same then, or
    what is wrong.
    """
    path = plain_file(settings.database_url)
    if path is None or settings.encryption_key or settings.encryption_key_file:
        return None
    try:
        if probe(path) is not FileKind.OURS or not all(os.access(it, os.W_OK) for it in (path, path.parent)):
            return None
        with closing(_connect(path.as_uri(), settings.busy_timeout_s)) as connection:
            return _read(connection, tenant_id, limit)
    except (OSError, sqlite3.Error):
        return None


def facts_of(row: Any, tags: list[str]) -> dict[str, Any]:
    """Return what a row of the listing, a mapping by column, says of a thread, by the names of its record."""
    waits = row["newest"] == "interrupted"
    return {
        "thread_id": row["thread_id"],
        "title": row["title"],
        "graph": row["graph"],
        "metadata": json.loads(row["metadata"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "messages": row["last_message_seq"] - row["rewound_messages"],
        "status": "busy" if row["active"] else "interrupted" if waits else "idle",
        "tags": tags,
        "ttl_s": row["ttl_s"],
    }


def _connect(uri: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{uri}?mode=rw", uri=True, timeout=timeout_s, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _read(connection: sqlite3.Connection, tenant_id: str, limit: int) -> list[ThreadFacts] | None:
    connection.execute("BEGIN")  # all that follows is of one moment
    version, encrypted = connection.execute(_STATE).fetchone()
    if version != HEAD or encrypted:
        return None
    asked = {"tenant": tenant_id, "limit": limit}
    tags: dict[str, list[str]] = {}
    for thread_id, tag in connection.execute(_TAGS, asked):
        tags.setdefault(thread_id, []).append(tag)
    rows: list[Any] = connection.execute(_THREADS, asked).fetchall()
    return [ThreadFacts(**facts_of(row, tags.get(row["thread_id"], []))) for row in rows]


_STATE = "SELECT (SELECT version_num FROM alembic_version), EXISTS (SELECT 1 FROM encryption_keys)"

_NEWEST = "FROM threads WHERE tenant_id = :tenant ORDER BY updated_at DESC, thread_id LIMIT :limit"

_THREADS = f"""
SELECT *,
  EXISTS (
    SELECT 1 FROM runs WHERE runs.tenant_id = threads.tenant_id AND runs.thread_id = threads.thread_id
    AND runs.status IN ('pending', 'running')
  ) AS active,
  (
    SELECT runs.status FROM runs WHERE runs.tenant_id = threads.tenant_id AND runs.thread_id = threads.thread_id
    ORDER BY runs.position DESC LIMIT 1
  ) AS newest
{_NEWEST}
"""  # noqa: S608  # constants

_TAGS = f"""
SELECT thread_id, tag FROM thread_tags
WHERE tenant_id = :tenant AND thread_id IN (SELECT thread_id {_NEWEST}) ORDER BY tag
"""  # noqa: S608  # constants
