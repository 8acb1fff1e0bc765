"""What was said earlier in a conversation, found again by its words: the transcript keeps it all.

What does not live here: what lasts beyond the conversation (`recall`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from motet.memory import transcript

if TYPE_CHECKING:
    from collections.abc import Collection

    from motet.storage.engine import Database

CANDIDATES = 60
"""Messages of all threads that are looked at; those of other threads are passed over."""


class Said(TypedDict):
    """One message of the transcript, plain: it may stand in a graph's state."""

    message_id: str
    role: str
    text: str


class History:
    """The transcripts of a tenant."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    async def find(self, thread_id: str, query: str, *, known: Collection[str], limit: int = 3) -> list[Said]:
        """Return the messages of a thread that match a question best, oldest first.

        Args:
            thread_id: Whose; an unknown one gives [].
            query: What was asked; blank text gives [].
            known: Ids of messages that are shown anyway.
            limit: At most this many.
        """
        rows = await self._database.read(
            lambda c: transcript.search(c, self._tenant_id, query, limit=CANDIDATES)
        )
        mine = [row for row in rows if row.thread_id == thread_id and row.message_id not in known][:limit]
        return [
            Said(message_id=row.message_id, role=row.role, text=row.text)
            for row in sorted(mine, key=lambda row: row.seq)
        ]
