"""What agents remember beyond a thread: short facts, each with its source and its time.

What does not live here: how items are stored (`store`). Facts come from what the user said, never from documents or
the web, and they reach a model as data about the user, never as instructions.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motet.storage.search import terms

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore, Item

NAMESPACE = ("memories",)

PAGE_ITEMS = 500
"""Facts that are asked of the store at once."""


@dataclass(frozen=True, slots=True)
class Memory:
    """One remembered fact."""

    memory_id: str
    text: str
    thread_id: str
    """Thread whose turn it came from; "" when unknown."""
    created_at: float


class Memories:
    """Facts about one user in a LangGraph store."""

    def __init__(self, store: BaseStore) -> None:
        self._store = store

    async def recall(self, query: str, *, limit: int = 4) -> list[Memory]:
        """Return the facts that have most to do with a query, best first; the newest when none has."""
        found = await self.all()
        wanted = set(terms(query))
        scored = [(len(wanted & set(terms(memory.text))), memory.created_at, memory) for memory in found]
        scored.sort(key=lambda item: item[:2], reverse=True)
        return [memory for _, _, memory in scored[:limit]]

    async def write(self, text: str, *, thread_id: str = "") -> Memory | None:
        """Remember a fact; None when it is blank or known word for word."""
        text = " ".join(text.split())
        known = {memory.text.casefold() for memory in await self.all()}
        if not text or text.casefold() in known:
            return None
        memory_id = uuid.uuid4().hex
        await self._store.aput(NAMESPACE, memory_id, {"text": text, "thread_id": thread_id}, index=False)
        item = await self._store.aget(NAMESPACE, memory_id)
        return _memory(item) if item is not None else None

    async def forget(self, memory_id: str) -> bool:
        """Forget a fact; False when there is none with this id."""
        if await self._store.aget(NAMESPACE, memory_id) is None:
            return False
        await self._store.adelete(NAMESPACE, memory_id)
        return True

    async def all(self) -> list[Memory]:
        """Return every fact, the newest first."""
        found: list[Memory] = []
        while page := await self._store.asearch(NAMESPACE, limit=PAGE_ITEMS, offset=len(found)):
            found.extend(_memory(item) for item in page)
            if len(page) < PAGE_ITEMS:
                break
        return sorted(found, key=lambda memory: memory.created_at, reverse=True)


def _memory(item: Item) -> Memory:
    value = item.value
    return Memory(item.key, str(value["text"]), str(value.get("thread_id", "")), item.created_at.timestamp())
