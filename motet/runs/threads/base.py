"""What every operation on a thread needs: to find it, to lock it, and to read its history.

What does not live here: the operations (`service`, `copying`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from motet.errors import Conflict
from motet.memory import transcript
from motet.runs.records import ACTIVE, lock_thread, unknown_thread
from motet.runs.threads.points import History, Place
from motet.storage.tables import runs, thread_tags, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.memory.checkpoints import MotetSaver
    from motet.runs.records import Records
    from motet.storage.engine import Database

R = TypeVar("R")
T = TypeVar("T")


class ThreadWork:
    """One tenant's threads, their transcripts and their checkpoints, in a transaction that is under way."""

    def __init__(self, database: Database, records: Records, saver: MotetSaver, tenant_id: str) -> None:
        self._database = database
        self._records = records
        self._checkpoints = saver.upkeep
        self._tenant_id = tenant_id

    def _one(self, thread_id: str) -> sa.ColumnElement[bool]:
        return sa.and_(threads.c.tenant_id == self._tenant_id, threads.c.thread_id == thread_id)

    def _history(self, connection: Connection, thread_id: str) -> History:
        messages = transcript.read_all(connection, self._tenant_id, thread_id)
        return History(thread_id, messages, self._checkpoints.points(connection, thread_id))

    def _place(self, connection: Connection, thread_id: str, name: str | None) -> Place:
        history = self._history(connection, thread_id)
        return history.place(name, lambda one: self._message_ids(connection, thread_id, one))

    def _message_ids(self, connection: Connection, thread_id: str, checkpoint_id: str) -> set[str]:
        values = self._values(connection, thread_id, checkpoint_id)
        found = values.get("messages")
        items: list[Any] = found if isinstance(found, list) else []
        return {str(getattr(item, "id", "")) for item in items}

    def _values(self, connection: Connection, thread_id: str, checkpoint_id: str) -> dict[str, Any]:
        loaded = self._checkpoints.load(connection, thread_id, checkpoint_id)
        return loaded.values if loaded else {}

    def _lock(self, connection: Connection, thread_id: str) -> Row[Any]:
        row = lock_thread(connection, self._tenant_id, thread_id)
        if row is None:
            raise unknown_thread(thread_id)
        return row

    def _lock_idle(self, connection: Connection, thread_id: str) -> Row[Any]:
        """Lock a thread that nothing runs on. Submitting locks it too, so nothing begins meanwhile."""
        row = self._lock(connection, thread_id)
        self._check_idle(connection, thread_id)
        return row

    def _check_idle(self, connection: Connection, thread_id: str) -> None:
        busy = self._busy_run(connection, thread_id)
        if busy is not None:
            raise Conflict(
                f"Thread {thread_id} has a run that has not ended ({busy}): wait for it, or stop it with "
                f"'motet runs cancel {busy[:8]}'.",
                run_id=busy,
            )

    def _busy_run(self, connection: Connection, thread_id: str) -> str | None:
        mine = sa.and_(runs.c.tenant_id == self._tenant_id, runs.c.thread_id == thread_id)
        query = sa.select(runs.c.run_id).where(mine, runs.c.status.in_(ACTIVE)).order_by(runs.c.position)
        return connection.execute(query.limit(1)).scalar()

    async def _read_first(
        self,
        thread_id: str,
        read: Callable[[Connection], R],
        write: Callable[[Connection, Callable[[], R]], T],
    ) -> T:
        """Read a thread on a reading connection, and write then: to read a long one takes seconds, and holds no lock.

        Args:
            thread_id: The thread.
            read: Reads what the writing needs.
            write: Is given a writing connection, and a function that returns what was read; once the thread is locked,
                it calls that. When the thread went on meanwhile, it is read again there.
        """

        def reading(connection: Connection) -> tuple[object, R]:
            return self._stamp(connection, thread_id), read(connection)

        before = await self._database.read(reading)

        def writing(connection: Connection) -> T:
            def held() -> R:
                self._checkpoints.lock(connection, thread_id)
                stamp, found = before
                return found if stamp == self._stamp(connection, thread_id) else read(connection)

            return write(connection, held)

        return await self._database.write(writing)

    def _stamp(self, connection: Connection, thread_id: str) -> tuple[Any, ...]:
        """Return what changes whenever a thread's checkpoints or transcript do."""
        said = transcript.stamp(connection, self._tenant_id, thread_id)
        return (self._checkpoints.stamp(connection, thread_id), said)

    def _add_tags(self, connection: Connection, thread_id: str, tags: Sequence[str]) -> None:
        rows = [{"tenant_id": self._tenant_id, "thread_id": thread_id, "tag": tag} for tag in tags]
        if rows:
            connection.execute(sa.insert(thread_tags), rows)
