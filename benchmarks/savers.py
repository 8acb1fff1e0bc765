"""The savers that are measured, each opened on a database of its own, with what that database takes."""

from __future__ import annotations

import functools
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.sqlite import SqliteSaver

from motet.memory.checkpoints import MotetSaver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Opened(NamedTuple):
    """A saver, and what its database takes."""

    saver: Any
    size_bytes: Callable[[], int]


class Held(BaseCheckpointSaver[int]):
    """Stores nothing: the last checkpoint is a variable. What a turn costs with it is LangGraph's own."""

    def __init__(self) -> None:
        super().__init__()
        self._last: CheckpointTuple | None = None

    def get_next_version(self, current: int | None, channel: None) -> int:  # noqa: ARG002  # the base class's
        """Count."""
        return (current or 0) + 1

    def get_tuple(self, config: Any) -> CheckpointTuple | None:  # noqa: ARG002
        """Return the last checkpoint."""
        return self._last

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:  # noqa: ARG002
        """Hold a checkpoint."""
        place = {**config["configurable"], "checkpoint_id": checkpoint["id"]}
        named: Any = {"configurable": place}
        self._last = CheckpointTuple(named, checkpoint, metadata, config, [])
        return named

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        """Hold nothing."""


@contextmanager
def no_saver(_folder: Path) -> Iterator[Opened]:
    """Open what stores nothing."""
    yield Opened(Held(), lambda: 0)


@contextmanager
def motet_saver(folder: Path) -> Iterator[Opened]:
    """Open Motet's saver on SQLite."""
    file = folder / "motet.db"
    with MotetSaver.from_url(f"sqlite:///{file}") as saver:
        yield Opened(saver, functools.partial(sqlite_bytes, file))


@contextmanager
def sqlite_saver(folder: Path) -> Iterator[Opened]:
    """Open LangGraph's saver on SQLite."""
    file = folder / "sqlite.db"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        yield Opened(saver, functools.partial(sqlite_bytes, file))


def sqlite_bytes(file: Path) -> int:
    """Return the bytes of a database's used pages."""
    with closing(sqlite3.connect(file)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


@contextmanager
def motet_on_postgres(server: Any, folder: Path) -> Iterator[Opened]:
    """Open Motet's saver on PostgreSQL, in a database named after the folder."""
    url = server.new_database(folder.name)
    with MotetSaver.from_url(url, secret_key="only for measuring") as saver:  # noqa: S106
        yield Opened(saver, functools.partial(postgres_bytes, server, folder.name))


@contextmanager
def postgres_saver(server: Any, folder: Path) -> Iterator[Opened]:
    """Open LangGraph's saver on PostgreSQL, in a database named after the folder."""
    from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415  # only where it is asked for

    server.new_database(folder.name)
    with PostgresSaver.from_conn_string(f"host={server.folder} user=motet dbname={folder.name}") as saver:
        saver.setup()
        yield Opened(saver, functools.partial(postgres_bytes, server, folder.name))


def postgres_bytes(server: Any, database: str) -> int:
    """Return the bytes of all tables and indexes of a database."""
    import psycopg  # noqa: PLC0415  # only where it is asked for

    query = (
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(host=str(server.folder), user="motet", dbname=database) as connection:
        return int((connection.execute(query).fetchone() or [0])[0])
