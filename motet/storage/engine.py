"""The one database engine: short reads on a few threads, every write through one writer with group commit.

What does not live here: what is stored. Rooms pass functions that take a `Connection`.

Why one writer: SQLite has one write lock. Writers that queue inside the process wait fairly and share a commit
(and its fsync); writers that meet at the file back off at random. Every writing transaction is BEGIN IMMEDIATE,
since one that starts by reading fails at once when another writer was faster, whatever the timeout.
"""

from __future__ import annotations

import asyncio
import queue
import random
import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from motet.errors import (
    DatabaseForeign,
    DatabaseFull,
    DatabaseUnavailable,
    ExtraMissing,
    MotetError,
    StorageError,
)
from motet.secret import hide_password
from motet.storage.cipher import load_cipher
from motet.storage.clock import STEADY_FUNCTION
from motet.storage.crash import CrashPoints
from motet.storage.probe import database_file
from motet.storage.texts import Texts, option

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator

    from sqlalchemy.engine import Connection, Engine, NestedTransaction

    from motet.settings import StorageSettings

T = TypeVar("T")

GROUP_MAX = 64
"""At most this many writes share one commit."""

IDLE_TRANSACTION_S = 5
"""Longest pause inside a transaction. Motet's take milliseconds; only a process that was stopped pauses so long."""

TRIES_MAX = 5
"""So often a write is tried that lost to one of another process."""

TRY_PAUSE_S = 0.02
"""Pause before the second try; it doubles."""


@dataclass(slots=True)
class _Write:
    work: Callable[[Connection], Any]
    done: Future[Any]


class Database:
    """One database for the whole app. `close()` it; a closed one refuses work.

    Reads and writes are functions of a `Connection`; they must be short, and must not call back into the
    database. A write runs in a transaction of its own kind: it may share its commit with others, but when it
    raises, its changes alone are undone. A write that another process's made impossible is tried again, so its
    function may be called more than once. `write` returns only after the commit. `crash` counts the crash points of
    everything that works on this database.
    """

    def __init__(self, settings: StorageSettings) -> None:
        self.url = settings.database_url
        self.texts = Texts(load_cipher(settings))
        self.engine = _create_engine(settings).execution_options(**option(self.texts))
        self.crash = CrashPoints(settings.crash_at)
        self._reads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="motet-read")
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._kept: Connection | None = None
        """The writer's connection, between two commits."""
        self._lock = threading.Lock()
        self._closed = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a reading connection and return what it returns."""
        with self._lock:
            self._refuse_when_closed()
            found = asyncio.get_running_loop().run_in_executor(self._reads, self._read, work)
        return await found

    def read_sync(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a reading connection, on the calling thread."""
        self._refuse_when_closed()
        return self._read(work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.engine.connect() as connection:
                try:
                    return work(connection)
                except BaseException:
                    if (
                        self.dialect == "sqlite"
                    ):  # rows that were not fetched, kept by the error, keep their snapshot
                        connection.invalidate()
                    raise
        except DBAPIError as error:
            raise translate(error, self.url) from error

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Queue `work` for the writer; return its value after the commit."""
        return await asyncio.wrap_future(self._submit(work))

    def write_sync(self, work: Callable[[Connection], T]) -> T:
        """Queue `work` for the writer and wait for the commit. Never call it on an event loop's thread."""
        return self._submit(work).result()

    def empty_journal(self) -> None:
        """Move the write-ahead log into the file and empty it, so that nothing deleted is left in it; SQLite alone.

        While another process reads, what it reads stays in the log for now.
        """
        if self.dialect == "sqlite":
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            finally:
                connection.close()

    def close(self) -> None:
        """Finish queued writes and close every connection. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            writer = self._writer
        if writer is not None:
            self._queue.put(None)
            writer.join()
        self._reads.shutdown(wait=True)
        self.engine.dispose()

    def _submit(self, work: Callable[[Connection], T]) -> Future[T]:
        write = _Write(work, Future())
        with self._lock:
            self._refuse_when_closed()
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_loop, name="motet-writer", daemon=True)
                self._writer.start()
            self._queue.put(write)
        return write.done

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StorageError("The database is closed.")

    def _write_loop(self) -> None:
        running = True
        while running:
            first = self._queue.get()
            if first is None:
                break
            batch = [first]
            while len(batch) < GROUP_MAX:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    running = False
                    break
                batch.append(more)
            self._commit([write for write in batch if write.done.set_running_or_notify_cancel()])
        if self._kept is not None:
            self._kept.close()

    def _commit(self, batch: list[_Write], tries: int = 1) -> None:
        """Run a batch in one transaction.

        Where the database undid it in favour of another process (a deadlock), or its connection broke before the
        commit, its writes are tried again one by one; on any other failed commit every write of it fails.
        """
        results: list[tuple[_Write, Any, BaseException | None]] = []
        committing = False
        try:
            with self.crash.around("a commit"), self._writing() as connection:
                transaction = connection.begin()
                alone = len(batch) == 1
                results.extend((write, *_run(connection, write, alone=alone)) for write in batch)
                if alone and results[0][2] is not None:
                    transaction.rollback()
                else:
                    committing = True
                    transaction.commit()
        except BaseException as error:  # noqa: BLE001  # the writer is an edge: the caller gets it
            if committing and not _lost_to_another(error):
                tries = TRIES_MAX  # it may be on disk for all we know
            results = [(write, None, error) for write in batch]
        for write, value, error in results:
            self._finish(write, value, error, tries)

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        """Give the writer its connection: on SQLite the same again, as long as nothing went wrong with it."""
        connection, self._kept = self._kept or self.engine.connect(), None
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self.dialect == "sqlite":
            self._kept = connection
        else:  # a server may have ended it meanwhile: the pool asks before it gives it again
            connection.close()

    def _finish(self, write: _Write, value: Any, error: BaseException | None, tries: int) -> None:
        """Tell a write's caller what became of it, or try it again, alone."""
        if error is None:
            write.done.set_result(value)
        elif tries < TRIES_MAX and _may_pass(error):
            time.sleep(random.uniform(0.5, 1.0) * TRY_PAUSE_S * 2 ** (tries - 1))  # noqa: S311
            self._commit([write], tries + 1)
        else:
            write.done.set_exception(translate(error, self.url) if isinstance(error, DBAPIError) else error)


def _lost_to_another(error: BaseException) -> bool:
    """Say whether the database undid this in favour of another process."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _LOST


def _may_pass(error: BaseException) -> bool:
    """Say whether a write that is not on disk may well succeed when it is tried again at once."""
    return _lost_to_another(error) or (isinstance(error, DBAPIError) and error.connection_invalidated)


_LOST = frozenset({"40P01", "40001"})  # deadlock detected, serialization failure


def _run(connection: Connection, write: _Write, *, alone: bool) -> tuple[Any, BaseException | None]:
    """Run one write of a batch, undoing it alone when it raises."""
    savepoint = None if alone else connection.begin_nested()
    try:
        value = write.work(connection)
        if savepoint is not None:
            savepoint.commit()
    except Exception as error:  # noqa: BLE001  # the caller gets it
        if savepoint is not None:
            _undo(savepoint, error)
        return None, error
    return value, None


def _undo(savepoint: NestedTransaction, error: Exception) -> None:
    """Roll back to a savepoint; raise `error` where the whole transaction is gone: disk full, connection lost."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        raise error
    try:
        savepoint.rollback()
    except DBAPIError:
        raise error from None


def _create_engine(settings: StorageSettings) -> Engine:
    url = _read_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        try:
            engine = sa.create_engine(url, pool_pre_ping=True, pool_size=8)
        except ImportError:
            raise ExtraMissing(
                "The driver for PostgreSQL is not installed: pip install 'motet[postgres]'."
            ) from None
        event.listen(engine, "connect", _limit_idle_transactions)
        return engine
    _make_folder(str(url.database))
    engine = sa.create_engine(
        url,
        pool_size=6,
        connect_args={
            "timeout": settings.busy_timeout_s,
            "check_same_thread": False,
            "isolation_level": None,
        },
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.create_function(STEADY_FUNCTION, 0, time.monotonic)
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={settings.synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute(
            "PRAGMA secure_delete=ON"
        )  # what is deleted is overwritten; many builds have this anyway
        cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        writes = threading.current_thread().name == "motet-writer"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _limit_idle_transactions(connection: Any, _record: Any) -> None:
    """Have PostgreSQL end a transaction that its process left open: a stopped process keeps no lock for long."""
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_S}s'")
    connection.autocommit = False


def _read_url(text: str) -> sa.URL:
    """Read a URL of SQLite in a file or PostgreSQL, each with the driver that Motet works with."""
    drivers = {"sqlite": "pysqlite", "postgresql": "psycopg"}
    try:
        url = sa.make_url(text)
        known = url.get_driver_name() == drivers.get(url.get_backend_name())
    except (ArgumentError, ValueError, ImportError):
        known, url = False, None
    # A database in memory belongs to one connection, and the engine has several.
    if url is None or not known or (url.drivername.startswith("sqlite") and url.database in _IN_MEMORY):
        shown = _PASSWORD.sub(":***@", hide_password(text))
        raise DatabaseForeign(
            f"MOTET_DATABASE_URL '{shown}' is not a URL of a database that Motet can use, "
            "like sqlite:////path/motet.db or postgresql+psycopg://user@host/name."
        ) from None
    return url


_IN_MEMORY = (None, "", ":memory:")
_PASSWORD = re.compile(r":[^:@/]*@")  # in what has no scheme


def _make_folder(database: str) -> None:
    from pathlib import Path  # noqa: PLC0415

    folder = Path(database).expanduser().absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The data folder {folder} cannot be made: {error.strerror}. Set MOTET_HOME to a folder you may write."
        ) from None


def translate(error: DBAPIError, url: str) -> MotetError:
    """Map a driver's error to Motet's tree, naming the database."""
    said = " ".join(str(error.orig).split())
    text = said.lower()
    where = hide_password(url)
    if isinstance(error, IntegrityError | DataError | ProgrammingError):
        return StorageError(f"The database {where} refused a statement: {said}")
    if "is full" in text or "no space" in text or ("disk i/o error" in text and _disk_is_full(url)):
        return DatabaseFull(f"No space is left for the database {where}: free some, then try again.")
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        return DatabaseForeign(
            f"{where} is not a Motet database, or it is damaged: {said}. It was left as it is: restore a backup, or "
            "set MOTET_HOME to another folder."
        )
    if "readonly" in text or "read-only" in text:
        return DatabaseUnavailable(f"The database {where} is read-only. Make it writable, or set MOTET_HOME.")
    if "is locked" in text or "busy" in text:
        return DatabaseUnavailable(f"The database {where} is locked by another program. Try again.")
    if isinstance(error, OperationalError):
        return DatabaseUnavailable(f"The database {where} cannot be used: {said}")
    return StorageError(f"The database {where} failed: {said}")


def _disk_is_full(url: str) -> bool:
    """Say whether there is no room for a page: where its index of the log cannot grow, SQLite says less."""
    import shutil  # noqa: PLC0415  # only in trouble

    path = database_file(url)
    return path is not None and path.parent.exists() and shutil.disk_usage(path.parent).free < _ROOM_BYTES


_ROOM_BYTES = 64 * 1024
