"""Forks and copies of a thread: everything is read and sealed first, and written then, in one transaction.

What does not live here: the checkpoints' rows (`memory.saver`). Reading a long thread takes seconds, and holds no lock.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.errors import InvalidInput
from motet.memory import transcript
from motet.runs.records import unknown_thread
from motet.runs.threads.base import ThreadWork
from motet.storage.clock import db_now
from motet.storage.search import fts_document
from motet.storage.tables import threads
from motet.storage.terms import write_terms
from motet.tools.policy.trust import copy as copy_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Connection, Row

    from motet.memory.saver.upkeep import ThreadCopy
    from motet.runs.request import ThreadRecord

MAX_TITLE_CHARS = 200


class Reading(NamedTuple):
    """What a copy is to hold, as it was read."""

    new_id: str
    messages: list[dict[str, Any]]
    """What `transcript.insert` takes."""
    checkpoint_id: str | None
    states: ThreadCopy | None


class Copies(ThreadWork):
    """Copies one tenant's threads."""

    async def copy(self, thread_id: str, at: str | None, title: str | None, kind: str) -> ThreadRecord:
        """Copy a thread as it is at a point, None for now. `kind` is `fork` or `copy`.

        Raises:
            NotFound: There is no such thread, turn or checkpoint.
            Conflict: A run of the thread has not ended.
        """
        new_id = str(uuid.uuid4())

        def write(connection: Connection, read: Callable[[], Reading]) -> ThreadRecord:
            source = self._lock_idle(connection, thread_id)
            return self._put_copy(connection, source, read(), title, kind)

        return await self._read_first(thread_id, lambda c: self._read_copy(c, thread_id, at, new_id), write)

    def _read_copy(self, connection: Connection, thread_id: str, at: str | None, new_id: str) -> Reading:
        if transcript.stamp(connection, self._tenant_id, thread_id) is None:
            raise unknown_thread(thread_id)
        self._check_idle(connection, thread_id)
        history = self._history(connection, thread_id)
        if at is None and history.head is None:
            return Reading(new_id, _messages(history.shown), None, None)
        place = history.place(at, lambda one: self._message_ids(connection, thread_id, one))
        states = self._checkpoints.fork(connection, thread_id, new_id, place.checkpoint_id, place.runs)
        return Reading(new_id, _messages(place.messages), place.checkpoint_id, states)

    def _put_copy(
        self, connection: Connection, source: Row[Any], read: Reading, title: str | None, kind: str
    ) -> ThreadRecord:
        thread_id, new_id = source.thread_id, read.new_id
        origin: dict[str, Any] = {"thread_id": thread_id, "checkpoint_id": read.checkpoint_id}
        word = "forked_from" if kind == "fork" else "copied_from"
        said = {**json.loads(source.metadata), word: origin}
        connection.execute(
            sa.insert(threads).values(
                tenant_id=self._tenant_id,
                thread_id=new_id,
                owner_id=source.owner_id,
                title=self._title(connection, title, source.title, kind),
                graph=source.graph,
                metadata=json.dumps(said, ensure_ascii=False),
                created_at=db_now(),
                updated_at=db_now(),
                ttl_s=source.ttl_s,
            )
        )
        write_terms(connection, self._tenant_id, new_id, said)
        tags = self._records.find_thread(connection, thread_id).tags
        self._add_tags(connection, new_id, tags)
        copy_trust(connection, self._tenant_id, thread_id, new_id)
        transcript.insert(connection, self._tenant_id, new_id, read.messages)
        if read.states is not None:
            self._checkpoints.put_copy(connection, read.states)
        return self._records.find_thread(connection, new_id)

    def _title(self, connection: Connection, wanted: str | None, old: str, kind: str) -> str:
        """Return a title that no thread has yet, unless one was asked for."""
        if wanted is not None:
            return check_title(wanted)
        base = re.sub(r" \((fork|copy)( \d+)?\)$", "", old)
        mine = threads.c.tenant_id == self._tenant_id
        alike = threads.c.title.startswith(base, autoescape=True)
        taken = set(connection.execute(sa.select(threads.c.title).where(mine, alike)).scalars())
        number, title = 1, f"{base} ({kind})"
        while title in taken:
            number += 1
            title = f"{base} ({kind} {number})"
        return title.strip()


def _messages(rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    return [{**row._asdict(), "document": fts_document(row.text)} for row in rows]


def check_title(title: str) -> str:
    """Return a title that can be stored.

    Raises:
        InvalidInput: It is blank or very long.
    """
    line = " ".join(title.split())
    if not line:
        raise InvalidInput("A title needs at least one character.")
    if len(line) > MAX_TITLE_CHARS:
        raise InvalidInput(f"The title has {len(line)} characters; at most {MAX_TITLE_CHARS} are taken.")
    return line
