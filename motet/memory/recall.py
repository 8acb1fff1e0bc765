"""What agents remember beyond a thread: short facts, each with its source, its time, and how far it is believed.

What does not live here: how items are stored (`store`), what a fact is (`fact`), which one comes first (`ranking`),
and how facts are shown to a model (`motet.agents.notes`): as data, never as instructions.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from langgraph.store.base import GetOp, Item, PutOp, SearchOp

from motet.memory.fact import (
    IMPORTANCE,
    RANK,
    Author,
    Kind,
    Memory,
    Source,
    check_author,
    clean,
    from_value,
    subjects,
)
from motet.memory.ranking import fit, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langgraph.store.base import BaseStore, Op, SearchItem

__all__ = ["Memories", "Memory", "Written"]

NAMESPACE = ("memories",)
"""The facts as they stand, by id, found by meaning."""

HISTORY = "memory_history"
"""Earlier versions of the fact `id`, in the namespace `(HISTORY, id)` by number; nothing finds them but their id."""

USES = ("memory_uses",)
"""How often each fact was recalled and when. Apart from the facts, so that a use never undoes a correction."""

PAGE_ITEMS = 500
"""Facts that are asked of the store at once."""

CANDIDATES = 60
"""Facts that are ranked: the nearest in meaning, and as many of the newest."""

QUERY_CHARS = 2000
"""Of a longer query, the beginning counts: there the question stands, and below it what was piped in."""

SEARCHED = ["text"]
"""What of a fact is searched by meaning."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a fact that was to be kept."""

    memory: Memory
    replaced: Memory | None = None
    """The version that it replaces, as it was."""


class Memories:
    """Facts about one user in any LangGraph store."""

    def __init__(self, store: BaseStore, *, clock: Callable[[], float] = time.time) -> None:
        """Wire it; `clock` gives unix seconds."""
        self._store = store
        self._clock = clock

    async def recall(self, query: str, *, limit: int = 6, max_width: int = 600) -> list[Memory]:
        """Return the facts that a model should know for a query, best first, and note that they were used.

        Args:
            query: Plain text in any language; see `ranking.rank` for the score. Blank text gives the newest.
            limit: At most this many.
            max_width: At most this many columns of text together: about 150 tokens of English, 300 of Chinese.
        """
        ranked = rank(query[:QUERY_CHARS], await self._candidates(query), now=self._clock())
        chosen = fit((memory for memory, _ in ranked), limit=limit, max_width=max_width)
        await self._used(chosen)
        return chosen

    async def search(self, query: str, *, limit: int = 20) -> list[tuple[Memory, float]]:
        """Return facts with their scores, best first, for a person to look at."""
        return rank(query, await self._candidates(query), now=self._clock())[:limit]

    async def write(
        self,
        text: str,
        *,
        author: Author = "user",
        kind: Kind = "other",
        importance: float | None = None,
        source: Source = Source(),  # noqa: B008  # frozen
        replaces: str = "",
    ) -> Written | None:
        """Keep a fact; None when it is blank, or known word for word from somebody as trustworthy.

        Args:
            text: One short sentence.
            author: Who said it; this alone decides how far it is believed.
            kind: What it is about.
            importance: 0.0 to 1.0; by its kind unless given.
            source: Where it comes from.
            replaces: Id of the fact that it corrects; that one becomes its history. A fact is not replaced by one
                of less trust: the new one is kept beside it.

        Raises:
            InvalidInput: The text is too long, or the author is unknown.
        """
        text = clean(text)
        check_author(author)
        if not text:
            return None
        now = self._clock()
        weight = IMPORTANCE[kind] if importance is None else min(max(importance, 0.0), 1.0)
        made = Memory(uuid.uuid4().hex, text, kind, author, weight, source, created_at=now, updated_at=now)
        near = [memory for memory, _ in await self._candidates(text)]
        same = [memory for memory in near if memory.text.casefold() == text.casefold()]
        if any(RANK[memory.trust] >= RANK[made.trust] for memory in same):
            return None
        old = same[0] if same else await self.get(replaces) if replaces else None
        if old is None or RANK[old.trust] > RANK[made.trust]:
            await self._store.aput(NAMESPACE, made.memory_id, made.to_value(), index=SEARCHED)
            return Written(made)
        return await self._replace(old, made)

    async def correct(self, memory_id: str, text: str, *, source: Source = Source()) -> Written | None:  # noqa: B008
        """Put the user's own words in a fact's place; None when there is none with this id, or it says that.

        Raises:
            InvalidInput: The text is blank or too long.
        """
        old, text = await self.get(memory_id), clean(text)
        if old is None or not text or old.text == text:
            return None
        now = self._clock()
        made = replace(old, text=text, author="user", source=source, updated_at=now)
        return await self._replace(old, made)

    async def forget(self, memory_ids: Iterable[str]) -> list[Memory]:
        """Forget facts with their history and their uses; return every version that was deleted."""
        gone: list[Memory] = []
        ops: list[Op] = []
        for memory_id in memory_ids:
            versions = await self.history(memory_id)
            past = [PutOp((HISTORY, memory_id), str(version.version), None) for version in versions[1:]]
            ops += [PutOp(NAMESPACE, memory_id, None), PutOp(USES, memory_id, None), *past]
            gone += versions
        if gone:
            await self._store.abatch(ops)
        return gone

    async def get(self, memory_id: str) -> Memory | None:
        """Return a fact as it stands; None when there is none with this id."""
        found = await self.get_many([memory_id])
        return found[0] if found else None

    async def get_many(self, memory_ids: Sequence[str]) -> list[Memory]:
        """Return facts in this order; one that was forgotten meanwhile is passed over."""
        items = await self._store.abatch([GetOp(NAMESPACE, memory_id) for memory_id in memory_ids])
        return await self._with_uses([_memory(item) for item in items if isinstance(item, Item)])

    async def history(self, memory_id: str) -> list[Memory]:
        """Return a fact as it stands and every version before it, the newest first; [] for an unknown id."""
        current = await self.get(memory_id)
        if current is None:
            return []
        items = await self._pages((HISTORY, memory_id))
        past = [replace(_memory(item), memory_id=memory_id) for item in items]
        return [current, *sorted(past, key=lambda memory: memory.version, reverse=True)]

    async def all(self) -> list[Memory]:
        """Return every fact as it stands, the newest first."""
        found = await self._with_uses([_memory(item) for item in await self._pages(NAMESPACE)])
        return sorted(found, key=lambda memory: memory.updated_at, reverse=True)

    async def about_the_same(self, text: str) -> Memory | None:
        """Return the fact nearest to a text of those that share a subject with it: it may be repeated or replaced."""
        about = subjects(text)
        found = [
            (score or 0.0, len(about & subjects(memory.text)), memory.updated_at, memory)
            for memory, score in await self._candidates(text)
            if about & subjects(memory.text)
        ]
        return max(found, key=lambda item: item[:3])[3] if found else None

    async def _replace(self, old: Memory, made: Memory) -> Written:
        """Put a new version in an old one's place, in one batch; the id and the first time stay."""
        made = replace(
            made,
            memory_id=old.memory_id,
            kind=old.kind if made.kind == "other" else made.kind,
            version=old.version + 1,
            created_at=old.created_at,
            importance=max(old.importance, made.importance),
        )
        past = PutOp((HISTORY, old.memory_id), str(old.version), old.to_value(), index=False)
        await self._store.abatch([past, PutOp(NAMESPACE, made.memory_id, made.to_value(), index=SEARCHED)])
        return Written(made, old)

    async def _candidates(self, query: str) -> list[tuple[Memory, float | None]]:
        """Return the facts that may matter, each with the store's own score; all where the store ranks nothing."""
        query = query[:QUERY_CHARS]
        found: dict[str, tuple[Item, float | None]] = {}
        asked = [SearchOp(NAMESPACE, query=query, limit=CANDIDATES)] if query.strip() else []
        *ranked, newest = await self._store.abatch([*asked, SearchOp(NAMESPACE, limit=CANDIDATES)])
        nearest: Any = ranked[0] if ranked else []
        if nearest and all(item.score is None for item in nearest):
            nearest = await self._pages(NAMESPACE)
        for item in (*nearest, *cast("list[SearchItem]", newest)):
            score = getattr(item, "score", None)
            if item.key not in found or found[item.key][1] is None:
                found[item.key] = item, score
        memories = await self._with_uses([_memory(item) for item, _ in found.values()])
        return [(memory, found[memory.memory_id][1]) for memory in memories]

    async def _pages(self, namespace: tuple[str, ...]) -> list[Any]:
        found: list[Any] = []
        while page := await self._store.asearch(namespace, limit=PAGE_ITEMS, offset=len(found)):
            found.extend(page)
            if len(page) < PAGE_ITEMS:
                break
        return found

    async def _with_uses(self, memories: list[Memory]) -> list[Memory]:
        items = await self._store.abatch([GetOp(USES, memory.memory_id) for memory in memories])
        return [
            memory.with_uses(item.value) if isinstance(item, Item) else memory
            for memory, item in zip(memories, items, strict=True)
        ]

    async def _used(self, memories: Sequence[Memory]) -> None:
        now = self._clock()
        puts = [
            PutOp(USES, memory.memory_id, {"uses": memory.uses + 1, "used_at": now}, index=False)
            for memory in memories
        ]
        if puts:
            await self._store.abatch(puts)


def _memory(item: Item) -> Memory:
    return from_value(item.key, item.value, item.created_at.timestamp())
