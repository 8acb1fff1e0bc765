"""What takes the space in a database: by kind, and by thread. Nothing is changed.

What does not live here: giving space back (`storage.compact`), and what is not in the database.

Tables are measured by their pages, with their indexes: PostgreSQL knows them, SQLite where it was built with dbstat.
Elsewhere it is the sum of the values in them, which is less than they take; the rest is `other` then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from motet.storage import tables as t
from motet.storage.fulltext import INDEXES
from motet.storage.probe import database_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from motet.storage.engine import Database

KINDS: dict[str, tuple[sa.Table, ...]] = {
    "transcript": (t.messages, t.threads, t.thread_tags),
    "checkpoints": (
        t.checkpoints,
        t.checkpoint_scopes,
        t.checkpoint_runs,
        t.checkpoint_dictionaries,
        t.channel_values,
        t.list_items,
        t.checkpoint_writes,
    ),
    "runs": (t.runs, t.queue_turns, t.schedules),
    "events": (t.events,),
    "tool calls": (t.tool_calls,),
    "documents and passages": (t.passages, t.documents, t.collections, t.roots, t.failures),
    "memories": (t.store_items, t.store_texts, t.store_revisions),
}
"""Tables by what they hold; the rows of the first are the kind's. Vectors and full text are kinds of their own."""

VECTORS = (t.passages, t.store_texts)


class Kind(NamedTuple):
    """What one kind of data takes."""

    name: str
    rows: int | None
    """None where nothing can be counted."""
    size_bytes: int


class ThreadSize(NamedTuple):
    """What one thread's values take, without indexes and empty parts of pages."""

    thread_id: str
    title: str
    size_bytes: int
    old_checkpoints_bytes: int
    """Of it: checkpoints older than the newest."""


class Space(NamedTuple):
    """What takes the space of one database."""

    kinds: list[Kind]
    """With what is free, in no order; their sum is the database."""
    by_pages: bool
    """False where only values could be summed: then `other` has what tables and indexes take beyond."""
    free_bytes: int
    """Pages that hold nothing, and the write-ahead log. 0 on PostgreSQL, which does not tell."""


def measure(database: Database) -> Space:
    """Say what takes the space of a database, every tenant's; it is read once, whole.

    Raises:
        StorageError: It cannot be read.
    """
    return database.read_sync(lambda connection: _measure(connection, database))


def thread_sizes(connection: Connection, tenant_id: str) -> list[ThreadSize]:
    """Return what each thread of a tenant takes, the largest first. Reads every row of it."""
    sizes: dict[str, int] = {}
    for query in _per_thread(connection, tenant_id):
        for thread_id, size_bytes in connection.execute(query):
            sizes[thread_id] = sizes.get(thread_id, 0) + int(size_bytes or 0)
    old = {name: int(size or 0) for name, size in connection.execute(_old_bodies(connection, tenant_id))}
    mine = sa.select(t.threads.c.thread_id, t.threads.c.title).where(t.threads.c.tenant_id == tenant_id)
    found = [
        ThreadSize(row.thread_id, row.title, sizes.get(row.thread_id, 0), old.get(row.thread_id, 0))
        for row in connection.execute(mine)
    ]
    return sorted(found, key=lambda one: (-one.size_bytes, one.thread_id))


def total_bytes(database: Database) -> int:
    """Return what a database takes: its pages, and on SQLite its write-ahead log."""
    return database.read_sync(_pages_bytes) + wal_bytes(database)


def pages_in_use_bytes(connection: Connection) -> int:
    """Return what a database takes without its free pages."""
    return _pages_bytes(connection) - _free_pages_bytes(connection)


def wal_bytes(database: Database) -> int:
    """Return the size of SQLite's write-ahead log; 0 where there is none."""
    path = database_file(database.url)
    wal = path.with_name(path.name + "-wal") if path is not None else None
    return wal.stat().st_size if wal is not None and wal.exists() else 0


def folder_bytes(folder: Path) -> tuple[int, int]:
    """Return how many files a folder holds, and their bytes; one that is not there holds none."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(sizes), sum(sizes)


def _measure(connection: Connection, database: Database) -> Space:
    sizes, by_pages = _table_sizes(connection)
    vectors = {table.name: _vectors(connection, table) for table in VECTORS}
    for name, (_, size_bytes) in vectors.items():
        sizes[name] = max(sizes.get(name, 0) - size_bytes, 0)
    kinds = [
        Kind(name, _count(connection, group[0]), sum(sizes.get(table.name, 0) for table in group))
        for name, group in KINDS.items()
    ]
    kinds.append(Kind("vectors", *(sum(column) for column in zip(*vectors.values(), strict=True))))
    found = [f"fts_{index}" for index in INDEXES]
    indexed = sum(_count(connection, sa.table(name)) for name in found)
    kinds.append(Kind("full text", indexed, sum(sizes.get(name, 0) for name in found)))
    free = _free_pages_bytes(connection)
    rest = _pages_bytes(connection) - free - sum(kind.size_bytes for kind in kinds)
    kinds.append(Kind("other", None, max(rest, 0)))
    if connection.dialect.name != "sqlite":
        return Space(kinds, by_pages, 0)
    wal = wal_bytes(database)
    kinds += [Kind("free pages", None, free), Kind("write-ahead log", None, wal)]
    return Space(kinds, by_pages, free + wal)


def _table_sizes(connection: Connection) -> tuple[dict[str, int], bool]:
    """Return the bytes of each table with its indexes, and whether they are those of pages."""
    if connection.dialect.name == "postgresql":
        return dict(_pairs(connection, _POSTGRES_SIZES)), True
    try:
        found = _pairs(connection, _SQLITE_SIZES)
    except OperationalError as error:
        if "no such table" not in str(error.orig):
            raise
        return _value_sizes(connection), False
    sizes: dict[str, int] = {}
    for name, size_bytes in found:
        owner = _owner(name)
        sizes[owner] = sizes.get(owner, 0) + size_bytes
    return sizes, True


def _value_sizes(connection: Connection) -> dict[str, int]:
    """Return the bytes of the values of each table: numbers count as 8."""
    sizes: dict[str, int] = {}
    for name in _pairs(connection, "SELECT name, 0 FROM sqlite_master WHERE type = 'table' AND rootpage > 0"):
        table = connection.dialect.identifier_preparer.quote(name[0])
        columns = [row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
        quoted = [connection.dialect.identifier_preparer.quote(column) for column in columns]
        each = " + ".join(
            f"CASE WHEN typeof({c}) IN ('text', 'blob') THEN length(CAST({c} AS BLOB)) "
            f"WHEN {c} IS NULL THEN 0 ELSE 8 END"
            for c in quoted
        )
        size_bytes = connection.exec_driver_sql(f"SELECT sum({each}) FROM {table}").scalar()  # noqa: S608
        owner = _owner(name[0])
        sizes[owner] = sizes.get(owner, 0) + int(size_bytes or 0)
    return sizes


def _owner(name: str) -> str:
    """Return the full-text table that a table belongs to (`fts_messages_data` is of `fts_messages`), or itself."""
    return next((f"fts_{index}" for index in INDEXES if name.startswith(f"fts_{index}_")), name)


def _pairs(connection: Connection, statement: str) -> list[tuple[str, int]]:
    return [(str(name), int(number)) for name, number in connection.exec_driver_sql(statement)]


def _count(connection: Connection, table: sa.TableClause) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _vectors(connection: Connection, table: sa.Table) -> tuple[int, int]:
    """Return how many vectors a table holds, and their bytes."""
    query = sa.select(sa.func.count(table.c.vector), sa.func.sum(_stored(connection, table.c.vector)))
    count, size_bytes = connection.execute(query).one()
    return int(count), int(size_bytes or 0)


def _pages_bytes(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    return _pragma(connection, "page_count") * _pragma(connection, "page_size")


def _free_pages_bytes(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return 0
    return _pragma(connection, "freelist_count") * _pragma(connection, "page_size")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _stored(connection: Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return the bytes that a value of texts or bytes takes."""
    if connection.dialect.name == "postgresql":
        return sa.func.coalesce(sa.func.pg_column_size(column), 0)  # as it is stored: compressed where it is
    return sa.func.coalesce(sa.func.length(sa.cast(column, sa.LargeBinary)), 0)


def _per_thread(connection: Connection, tenant_id: str) -> Iterable[sa.Select[Any, int]]:
    """Yield queries of `(thread_id, bytes)`, a row a thread, for everything that belongs to one."""

    def size(*columns: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        return sa.func.sum(sum((_stored(connection, column) for column in columns), sa.literal(0)))

    for table, columns in (
        (t.messages, (t.messages.c.text, t.messages.c.citations)),
        (t.runs, (t.runs.c.job, t.runs.c.error)),
        (t.tool_calls, (t.tool_calls.c.result,)),
        (t.checkpoint_dictionaries, (t.checkpoint_dictionaries.c.value,)),
    ):
        yield (
            sa.select(table.c.thread_id, size(*columns))
            .where(table.c.tenant_id == tenant_id)
            .group_by(table.c.thread_id)
        )
    run_of = sa.and_(t.runs.c.tenant_id == t.events.c.tenant_id, t.runs.c.run_id == t.events.c.run_id)
    events = sa.select(t.runs.c.thread_id, size(t.events.c.event)).join(t.events, run_of)
    yield events.where(t.runs.c.tenant_id == tenant_id).group_by(t.runs.c.thread_id)
    scopes = t.checkpoint_scopes
    for column in (
        t.checkpoints.c.body,
        t.channel_values.c.value,
        t.list_items.c.value,
        t.checkpoint_writes.c.value,
    ):
        query = sa.select(scopes.c.thread_id, size(column)).join(
            column.table, column.table.c.scope_key == scopes.c.scope_key
        )
        yield query.where(scopes.c.tenant_id == tenant_id).group_by(scopes.c.thread_id)


def _old_bodies(connection: Connection, tenant_id: str) -> sa.Select[Any, int]:
    """Return the query of `(thread_id, bytes)` of checkpoints that are not the newest of their scope."""
    scopes, bodies = t.checkpoint_scopes, t.checkpoints
    size = sa.func.sum(_stored(connection, bodies.c.body))
    newest = (
        sa.select(bodies.c.scope_key, sa.func.max(bodies.c.seq).label("seq"))
        .group_by(bodies.c.scope_key)
        .subquery()
    )
    return (
        sa.select(scopes.c.thread_id, size)
        .join(bodies, bodies.c.scope_key == scopes.c.scope_key)
        .join(newest, newest.c.scope_key == scopes.c.scope_key)
        .where(scopes.c.tenant_id == tenant_id, bodies.c.seq < newest.c.seq)
        .group_by(scopes.c.thread_id)
    )


_SQLITE_SIZES = """
SELECT coalesce(m.tbl_name, d.name), sum(d.pgsize) FROM dbstat AS d LEFT JOIN sqlite_master AS m ON m.name = d.name
WHERE d.aggregate = TRUE GROUP BY 1
"""

_POSTGRES_SIZES = """
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
"""
