"""What was said earlier in a conversation, found again by its words: the transcript keeps it all.

What does not live here: what lasts beyond the conversation (`recall`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from motet.memory import transcript
from motet.memory.saver.pace import Pace
from motet.storage.search import terms

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Row

    from motet.storage.engine import Database

CANDIDATES = 80
"""Newest messages of all threads with a word of the question; those of other threads are passed over."""


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
        self._pace = Pace()

    async def find(self, thread_id: str, query: str, *, known: Collection[str], limit: int = 3) -> list[Said]:
        """Return the messages of a thread that match a question best, of the newest that match at all; oldest first.

        Args:
            thread_id: Whose; an unknown one gives [].
            query: What was asked; blank text gives [].
            known: Ids of messages that are shown anyway.
            limit: At most this many.
        """
        rows = await self._pace.look(
            self._database,
            lambda c: transcript.newest_alike(c, self._tenant_id, thread_id, query, limit=CANDIDATES),
        )
        mine = [row for row in rows if row.message_id not in known]
        mine = _nearest(query, mine)[:limit]
        return [
            Said(message_id=row.message_id, role=row.role, text=row.text)
            for row in sorted(mine, key=lambda row: row.seq)
        ]


def _nearest(query: str, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return messages by the words that they share with a question, rare ones first; of equals the newer."""
    asked = set(terms(query))
    shared = [asked & set(terms(row.text)) for row in rows]
    seen = Counter(word for words in shared for word in words)
    scores = [sum(1 / seen[word] for word in words) for words in shared]
    order = sorted(range(len(rows)), key=lambda place: -scores[place])
    return [rows[place] for place in order]
