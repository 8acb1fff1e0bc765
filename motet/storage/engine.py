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
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from motet.errors import DatabaseUnavailable, StorageError
from motet.storage.cipher import load_cipher
from motet.storage.crash import CrashPoints
from motet.storage.near import Near
from motet.storage.opening import READERS, WRITES, open_engine
from motet.storage.texts import Texts, option
from motet.storage.trouble import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy.engine import Connection, NestedTransaction

    from motet.settings import StorageSettings

T = TypeVar("T")

GROUP_MAX = 64
"""At most this many writes share one commit."""

TRIES_MAX = 5
"""So often a write is tried that lost to one of another process."""

TRY_PAUSE_S = 0.02
"""Pause before the second try; it doubles."""


@dataclass(slots=True, eq=False)
class _Write:
    work: Callable[[Connection], Any]
    done: Future[Any] | asyncio.Future[Any]
    """Of a thread that waits, or of a loop."""

    def is_wanted(self) -> bool:
        """Say whether somebody still waits for it."""
        if isinstance(self.done, Future):
            return self.done.set_running_or_notify_cancel()
        return not self.done.cancelled()

    def tell(self, value: Any, error: BaseException | None) -> None:
        """Tell the one who waits what became of it."""
        if isinstance(self.done, Future):
            _settle(self.done, value, error)
        else:
            with suppress(RuntimeError):  # its loop is closed: nobody waits
                self.done.get_loop().call_soon_threadsafe(_settle, self.done, value, error)


def _settle(done: Future[Any] | asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(value)
    else:
        done.set_exception(error)


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
        self.engine = open_engine(settings).execution_options(**option(self.texts))
        self.crash = CrashPoints(settings.crash_at)
        self._reads = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="motet-read")
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._kept: Connection | None = None
        """The writer's connection, between two commits."""
        self._is_writing = threading.Lock()
        self._near = Near(self.engine, self.crash, syncs=settings.synchronous == "full")
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

    async def peek(self, work: Callable[[Connection], T]) -> T:
        """Read a few rows by their keys; otherwise as `read`.

        On SQLite that is done at once, on the calling thread: it takes less time than to hand it to another thread
        and back. Where it would have to wait for a lock, it is handed over all the same.
        """
        self._refuse_when_closed()
        with self._near.free() as near:
            if near is not None:
                try:
                    return near.read(work)
                except DBAPIError as error:
                    if not isinstance(told := translate(error, self.url), DatabaseUnavailable):
                        raise told from error
        return await self.read(work)

    async def jot(self, work: Callable[[Connection], T]) -> T:
        """Write a few rows by their keys; otherwise as `write`. On SQLite at once if that can be; see `peek`."""
        self._refuse_when_closed()
        if self._queue.empty() and self._is_writing.acquire(blocking=False):
            try:
                with self._near.free() as near:
                    if near is not None and near.begin():
                        return near.write(work)
            except DBAPIError as error:
                raise translate(error, self.url) from error
            finally:
                self._is_writing.release()
        return await self.write(work)

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
        done = asyncio.get_running_loop().create_future()
        self._submit(_Write(work, done))
        return await done

    def write_sync(self, work: Callable[[Connection], T]) -> T:
        """Queue `work` for the writer and wait for the commit. Never call it on an event loop's thread."""
        done: Future[T] = Future()
        self._submit(_Write(work, done))
        return done.result()

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
        self._near.close()
        self.engine.dispose()

    def _submit(self, write: _Write) -> None:
        with self._lock:
            self._refuse_when_closed()
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_loop, name="motet-writer", daemon=True)
                self._writer.start()
            self._queue.put(write)

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
            with self._is_writing:
                self._commit([write for write in batch if write.is_wanted()])
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
            connection.info[WRITES] = True
            yield connection
        except BaseException:
            if self.dialect == "sqlite":  # another who got it from the pool would take the write lock to read
                connection.invalidate()
            connection.close()
            raise
        if self.dialect == "sqlite":
            self._kept = connection
        else:  # a server may have ended it meanwhile: the pool asks before it gives it again
            connection.close()

    def _finish(self, write: _Write, value: Any, error: BaseException | None, tries: int) -> None:
        """Tell a write's caller what became of it, or try it again, alone."""
        if error is None:
            write.tell(value, None)
        elif tries < TRIES_MAX and _may_pass(error):
            time.sleep(random.uniform(0.5, 1.0) * TRY_PAUSE_S * 2 ** (tries - 1))  # noqa: S311
            self._commit([write], tries + 1)
        else:
            write.tell(None, translate(error, self.url) if isinstance(error, DBAPIError) else error)


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
