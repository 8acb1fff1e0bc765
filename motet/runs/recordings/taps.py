"""Searches and memories that go by the run's tape: recorded where a run is recorded, played where one is played.

What does not live here: models and tools, which have hooks of their own. Without a tape in the config everything
passes through as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import ensure_config
from pydantic import TypeAdapter
from typing_extensions import override

from motet.events import Passage
from motet.memory.fact import Memory
from motet.memory.history import History, Said
from motet.memory.recall import Memories, Written
from motet.models.cassette import TAPE_KEY, Kind
from motet.runs.traces import TRACE_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from motet.models.replay import Tape
    from motet.retrieval.base import Retriever
    from motet.runs.traces import RunTrace

FORMS: dict[tuple[Kind, str], TypeAdapter[Any]] = {
    ("search", "documents"): TypeAdapter(list[Passage]),
    ("search", "nearness"): TypeAdapter(list[float]),
    ("memory", "recall"): TypeAdapter(list[Memory]),
    ("memory", "get"): TypeAdapter(list[Memory]),
    ("memory", "same"): TypeAdapter(Memory | None),
    ("memory", "history"): TypeAdapter(list[Said]),
    ("memory", "write"): TypeAdapter(Written | None),
    ("memory", "tokens"): TypeAdapter(list[int]),
}
"""What a search or a memory gives, by kind and name; `tokens` is the tokenizer's."""


async def _tapped(
    kind: Kind,
    name: str,
    request: dict[str, Any],
    ask: Callable[[], Awaitable[Any]],
) -> Any:
    tape: Tape | None = (ensure_config().get("configurable") or {}).get(TAPE_KEY)
    if tape is None:
        return await ask()
    found = tape.given(kind, name, request)
    adapter = FORMS[kind, name]
    value = adapter.validate_python(found[0]) if found else await ask()
    tape.keep(kind, name, request, adapter.dump_python(value, mode="json"))
    return value


class TappedRetriever:
    """A `Retriever` over another one; without one it finds nothing but what the tape has."""

    def __init__(self, inner: Retriever | None) -> None:
        self._inner = inner

    async def search(self, query: str, *, limit: int = 4) -> list[Passage]:
        """See `Retriever.search`."""
        config = ensure_config()
        trace: RunTrace | None = (config.get("configurable") or {}).get(TRACE_KEY)
        if trace is None:
            return await self._search(query, limit)
        with trace.search(getattr(config.get("callbacks"), "parent_run_id", None), query) as found:
            found.extend(await self._search(query, limit))
            return found

    async def _search(self, query: str, limit: int) -> list[Passage]:
        async def ask() -> list[Passage]:
            return await self._inner.search(query, limit=limit) if self._inner is not None else []

        return await _tapped("search", "documents", {"query": query, "limit": limit}, ask)

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """See `Retriever.nearness`."""

        async def ask() -> list[float]:
            none = [0.0] * len(texts)
            return await self._inner.nearness(queries, texts) if self._inner is not None else none

        request = {"queries": list(queries), "texts": list(texts)}
        return await _tapped("search", "nearness", request, ask)


class TappedHistory(History):
    """Transcripts that a run looks into, by its tape: a played run is on a new conversation."""

    @override
    async def find(self, thread_id: str, query: str, *, known: Collection[str], limit: int = 3) -> list[Said]:
        async def ask() -> list[Said]:
            return await History.find(self, thread_id, query, known=known, limit=limit)

        return await _tapped("memory", "history", {"query": query, "limit": limit}, ask)


class TappedMemories(Memories):
    """Memories that a run recalls and keeps, by its tape; nothing is kept where it is played."""

    def __init__(self, inner: Memories) -> None:
        vars(self).update(vars(inner))
        self._inner = inner

    @override
    async def recall(self, query: str, *, limit: int = 6, max_width: int = 600) -> list[Memory]:
        def ask() -> Awaitable[list[Memory]]:
            return self._inner.recall(query, limit=limit, max_width=max_width)

        return await _tapped("memory", "recall", {"query": query, "limit": limit}, ask)

    @override
    async def get_many(self, memory_ids: Sequence[str]) -> list[Memory]:
        request = {"ids": list(memory_ids)}
        return await _tapped("memory", "get", request, lambda: self._inner.get_many(memory_ids))

    @override
    async def about_the_same(self, text: str) -> Memory | None:
        return await _tapped("memory", "same", {"text": text}, lambda: self._inner.about_the_same(text))

    @override
    async def write(self, text: str, **more: Any) -> Written | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return await _tapped("memory", "write", {"text": text}, lambda: self._inner.write(text, **more))
