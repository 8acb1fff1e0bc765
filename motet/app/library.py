"""Documents and memories in plain JSON, for wires; see `motet.server.library`."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from motet.app.rooms import Rooms
    from motet.app.switchboard import App
    from motet.memory.fact import Memory
    from motet.server.library import Json


class RoomsLibrary:
    """A `motet.server.library.Library` over one tenant's rooms."""

    def __init__(self, app: App, rooms: Rooms) -> None:
        self._app = app
        self._rooms = rooms

    async def collections(self) -> list[Json]:
        """See `Library.collections`."""
        knowledge = self._rooms.knowledge
        found = [await knowledge.stats(one.name) for one in await knowledge.list_collections()]
        return [
            {"name": s.collection, "documents": s.document_count, "passages": s.passage_count} for s in found
        ]

    async def search(self, query: str, collections: Sequence[str], limit: int) -> list[Json]:
        """See `Library.search`."""
        from motet.retrieval.collection import DEFAULT_COLLECTION  # noqa: PLC0415  # the documents' room is heavy
        from motet.retrieval.search import HybridRetriever  # noqa: PLC0415

        wanted = list(collections) or [DEFAULT_COLLECTION]
        known = {found.name for found in await self._rooms.knowledge.list_collections()}
        for name in wanted:
            if name not in known and name in collections:
                raise NotFound(f"There is no collection '{name}'.", collection=name)
        retriever = HybridRetriever(self._rooms.knowledge, [name for name in wanted if name in known])
        return [p.model_dump(mode="json") for p in await retriever.search(query, limit=limit)]

    async def add(self, collection: str, name: str, content: bytes) -> Json:
        """See `Library.add`."""
        folder = self._app.settings.storage.home / "documents" / self._rooms.tenant_id
        path = folder / _file_name(collection) / _file_name(name)
        await asyncio.to_thread(_write, path, content)
        report = await self._rooms.knowledge.add([path], collection=collection)
        outcome = report.files[0]
        if outcome.error is not None:
            raise outcome.error
        return {"source": str(path), "status": outcome.status, "passages": outcome.passage_count}

    async def memories(self, query: str, limit: int) -> list[Json]:
        """See `Library.memories`."""
        memories = self._rooms.memories
        if not query.strip():
            return [_memory(memory) for memory in (await memories.all())[:limit]]
        return [
            _memory(memory) | {"score": score} for memory, score in await memories.search(query, limit=limit)
        ]

    async def forget(self, memory_id: str) -> None:
        """See `Library.forget`."""
        if not await self._app.forget([memory_id], tenant_id=self._rooms.tenant_id):
            raise NotFound(f"There is no memory '{memory_id}'.", memory_id=memory_id)


def _file_name(name: str) -> str:
    """Return the name of an upload as a file's.

    Raises:
        InvalidInput: It is no plain name.
    """
    if not name or len(name.encode()) > 200 or name.startswith(".") or any(c in name for c in "/\\\0\r\n"):
        raise InvalidInput(
            f"{name[:100]!r} is no name for a document: give a plain one with an ending, 'rules.md'."
        )
    return name


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _memory(memory: Memory) -> dict[str, Any]:
    return dataclasses.asdict(memory)
