"""Small work on SQLite, done on the thread that asks: a few rows by their keys take less time than to hand them over.

What does not live here: who asks, and what is done where this cannot (`engine`).

It never waits for a lock, and it does not sync the disk: a commit of SQLite's write-ahead log does not either
(`synchronous=normal`), but for the one in so many that moves the log into the file, and those are left to the writer's
thread. Should a disk be slow all the same, that thread does all of it for a while.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DBAPIError

from motet.storage.opening import WRITES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy.engine import Connection, Engine, RootTransaction

    from motet.storage.crash import CrashPoints

T = TypeVar("T")

SLOW_S = 0.05
"""Whoever asks is held for this long at most, as a rule."""

CAREFUL = 20
"""After slow work so much is left to the threads."""

LOG_EVERY = 25
"""One in so many writes is left to the writer's thread, whose commits move the write-ahead log into the file.

The log is moved when it has 4 MB, and a run adds some 0.6 MB in a dozen writes: it stays near 6 MB at most.
"""


class Near:
    """One connection for the thread that asks. `free` gives it where it can be used now."""

    def __init__(self, engine: Engine, crash: CrashPoints, *, syncs: bool) -> None:
        self._engine, self._crash = engine, crash
        self._connection: Connection | None = None
        self._transaction: RootTransaction | None = None
        self._taken = threading.Lock()
        self._syncs = syncs
        """Whether a commit waits for the disk; then the writer's thread does it."""
        self._is_off = engine.dialect.name != "sqlite"
        self._careful = 0
        self._writes = 0

    @contextmanager
    def free(self) -> Generator[Near | None]:
        """Give this, held for the length of the block; None where it is taken, was slow, or there is no SQLite."""
        if self._is_off or not self._taken.acquire(blocking=False):
            yield None
            return
        try:
            if self._careful:
                self._careful -= 1
                yield None
                return
            began = time.monotonic()
            yield self
            if time.monotonic() - began > SLOW_S:
                self._careful = CAREFUL
        finally:
            self._taken.release()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Read in a transaction.

        Raises:
            DBAPIError: Somebody holds a lock that must be waited for, or something is wrong with the database.
        """
        with self._connected() as connection:
            found = work(connection)
            connection.rollback()
            return found

    def begin(self) -> bool:
        """Begin to write; False when another is at it, or it is the writer's turn. `write` must follow."""
        self._writes += 1
        if self._syncs or self._writes % LOG_EVERY == 0:
            return False
        with self._connected() as connection:
            connection.info[WRITES] = True
            try:
                self._transaction = connection.begin()
            except DBAPIError:
                connection.info[WRITES] = False
                return False  # the thread that waits for it meets what else may be wrong
            return True

    def write(self, work: Callable[[Connection], T]) -> T:
        """Write in the transaction that `begin` began, and commit it. When it raises, nothing is changed."""
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        with self._connected() as connection:
            try:
                with self._crash.around("a commit"), transaction:
                    return work(connection)
            finally:
                if not connection.invalidated:
                    connection.info[WRITES] = False

    def close(self) -> None:
        """Close the connection; it must not be used afterwards."""
        with self._taken:
            self._is_off = True
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextmanager
    def _connected(self) -> Generator[Connection]:
        """Give the connection; one in whose use something was raised is never used again."""
        known, self._connection = self._connection, None
        connection = known or self._engine.connect()
        try:
            if known is None:
                connection.exec_driver_sql("PRAGMA busy_timeout=0")
                connection.exec_driver_sql("PRAGMA wal_autocheckpoint=0")
                connection.rollback()
            yield connection
        except BaseException:  # rows that were not fetched, kept by the error, keep their snapshot
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection
