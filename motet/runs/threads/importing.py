"""Puts threads from a file into the database: all of them in one transaction, with their state, or none.

What does not live here: the file's form (`transfer`).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa
from langchain_core.messages import AIMessage, HumanMessage

from motet.errors import Conflict
from motet.graphs.state import RECENT_MESSAGES
from motet.memory import transcript
from motet.memory.window import recent
from motet.runs.request import LOCAL_OWNER
from motet.storage.tables import thread_tags, threads
from motet.storage.terms import write_terms
from motet.tools.policy.trust import MESSAGES
from motet.tools.policy.trust import add as add_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import AnyMessage
    from sqlalchemy.engine import Connection

    from motet.memory.checkpoints import MotetSaver
    from motet.runs.threads.transfer import MessageLine, ThreadFile, ThreadLine
    from motet.storage.engine import Database


class Importer:
    """Imports threads for one tenant."""

    def __init__(self, database: Database, saver: MotetSaver, tenant_id: str) -> None:
        self._database = database
        self._saver = saver
        self._tenant_id = tenant_id

    async def run(self, files: Sequence[ThreadFile], *, new_ids: bool = False) -> list[str]:
        """Store threads with their transcripts; return their ids. The next turn of each knows its newest messages.

        Args:
            files: What was read.
            new_ids: Give each a new id instead of its own.

        Raises:
            Conflict: There is a thread of this id already; nothing was stored.
        """
        named = [(str(uuid.uuid4()) if new_ids else file.thread.thread_id, file) for file in files]
        states = [self._state(thread_id, file.messages) for thread_id, file in named]

        def work(connection: Connection) -> None:
            for (thread_id, file), state in zip(named, states, strict=True):
                self._store(connection, thread_id, file)
                if state is not None:
                    state(connection)

        await self._database.write(work)
        return [thread_id for thread_id, _ in named]

    def _store(self, connection: Connection, thread_id: str, file: ThreadFile) -> None:
        mine = sa.and_(threads.c.tenant_id == self._tenant_id, threads.c.thread_id == thread_id)
        if connection.execute(sa.select(threads.c.thread_id).where(mine)).first():
            raise Conflict(
                f"There is a thread {thread_id} already; nothing was imported. Add --new to import under new ids.",
                thread_id=thread_id,
            )
        connection.execute(sa.insert(threads).values(self._row(thread_id, file.thread)))
        write_terms(connection, self._tenant_id, thread_id, file.thread.metadata)
        tags = [
            {"tenant_id": self._tenant_id, "thread_id": thread_id, "tag": tag}
            for tag in dict.fromkeys(file.thread.tags)
        ]
        if tags:
            connection.execute(sa.insert(thread_tags), tags)
        rows = [
            message.model_dump(mode="json", exclude={"type"})
            | {
                "citations": json.dumps(
                    [p.model_dump(mode="json") for p in message.citations], ensure_ascii=False
                )
            }
            for message in file.messages
        ]
        transcript.insert(connection, self._tenant_id, thread_id, rows)
        self._distrust(connection, thread_id, file)

    def _distrust(self, connection: Connection, thread_id: str, file: ThreadFile) -> None:
        """Note that a file's words are nobody's own: whoever wrote it chose what the user is to have said."""
        add_trust(connection, self._tenant_id, thread_id, "read", "an imported conversation")
        said = [message.message_id for message in file.messages if message.role == "user"]
        for message_id in said[-MESSAGES:]:
            add_trust(connection, self._tenant_id, thread_id, "outside", message_id)

    def _row(self, thread_id: str, thread: ThreadLine) -> dict[str, object]:
        return {
            "tenant_id": self._tenant_id,
            "thread_id": thread_id,
            "owner_id": LOCAL_OWNER,
            "title": thread.title,
            "graph": thread.graph,
            "metadata": json.dumps(thread.metadata, ensure_ascii=False),
            "ttl_s": thread.ttl_s,
            "created_at": thread.created_at,
            "updated_at": thread.updated_at,
        }

    def _state(self, thread_id: str, messages: Sequence[MessageLine]) -> Callable[[Connection], None] | None:
        """Make the state that the next turn goes on from: the newest messages; None where nothing was said."""
        kinds = {"user": HumanMessage, "assistant": AIMessage}
        said: list[AnyMessage] = [
            kinds[line.role](line.text, id=line.message_id) for line in messages if line.role in kinds
        ]
        if not said:
            return None
        return self._saver.prepare_first(thread_id, {"messages": recent(RECENT_MESSAGES)([], said)})
