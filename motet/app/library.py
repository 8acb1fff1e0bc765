"""Documents and memories in plain JSON, for wires; see `motet.server.library`."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
            {
                "name": s.collection,
                "documents": s.document_count,
                "passages": s.passage_count,
                "size_bytes": s.size_bytes,
                "embedder": s.embedder,
                "failed": s.failed_count,
            }
            for s in found
        ]

    async def search(
        self,
        query: str,
        collections: Sequence[str],
        limit: int,
        *,
        where: Sequence[str] = (),
        explain: bool = False,
    ) -> list[Json]:
        """See `Library.search`."""
        from motet.retrieval.collection import DEFAULT_COLLECTION  # noqa: PLC0415  # the documents' room is heavy
        from motet.retrieval.filters import Where  # noqa: PLC0415
        from motet.retrieval.search import HybridRetriever  # noqa: PLC0415

        wanted = list(collections) or [DEFAULT_COLLECTION]
        known = {found.name for found in await self._rooms.knowledge.list_collections()}
        for name in wanted:
            if name not in known and name in collections:
                raise _no_collection(name)
        retriever = HybridRetriever(
            self._rooms.knowledge,
            [name for name in wanted if name in known],
            reranker=self._rooms.reranker,
            where=Where.read(where),
        )
        found = (await retriever.explain(query, limit=limit)).found
        return [one.to_dict() if explain else one.passage.model_dump(mode="json") for one in found]

    async def add(self, collection: str, name: str, content: bytes) -> Json:
        """See `Library.add`."""
        from motet.retrieval.collection import check_name  # noqa: PLC0415  # the documents' room is heavy

        check_name(collection)
        path = self._uploads(collection) / _file_name(name)
        knowledge = self._rooms.knowledge
        outcome = await knowledge.add_bytes(content, path, collection=collection)
        if outcome.error is not None:
            raise outcome.error
        await asyncio.to_thread(_write, path, content)
        await knowledge.remember(path, collection=collection)
        return {
            "source": str(path),
            "status": outcome.status,
            "passages": outcome.passage_count,
            "missing": outcome.missing,
        }

    async def add_pages(self, collection: str, urls: Sequence[str], labels: Mapping[str, str]) -> Json:
        """See `Library.add_pages`."""
        knowledge = self._rooms.knowledge
        return (await knowledge.add(list(urls), collection=collection, labels=labels)).to_dict()

    async def sync(self, collection: str) -> Json:
        """See `Library.sync`."""
        await self._known(collection)
        return (await self._rooms.knowledge.sync(collection=collection)).to_dict()

    async def documents(self, collection: str) -> list[Json]:
        """See `Library.documents`."""
        await self._known(collection)
        found = await self._rooms.knowledge.listing(collection)
        return [dataclasses.asdict(document) for document in found]

    async def document(self, collection: str, source: str) -> Json:
        """See `Library.document`."""
        listed = await self._listed(collection, source)
        document, passages = await self._rooms.knowledge.document(listed, collection)
        shown = [passage.model_dump(mode="json") for passage in passages]
        return dataclasses.asdict(document) | {"passages": shown}

    async def remove(self, collection: str, source: str) -> None:
        """See `Library.remove`."""
        listed = await self._listed(collection, source)
        await self._rooms.knowledge.remove([listed], collection=collection)
        if Path(listed).parent == self._uploads(collection):
            await asyncio.to_thread(Path(listed).unlink, missing_ok=True)

    async def passage(self, passage_id: str) -> Json:
        """See `Library.passage`."""
        return (await self._rooms.knowledge.passage(passage_id)).model_dump(mode="json")

    def _uploads(self, collection: str) -> Path:
        return self._app.settings.storage.home / "documents" / self._rooms.tenant_id / _file_name(collection)

    async def _known(self, collection: str) -> None:
        if not any(found.name == collection for found in await self._rooms.knowledge.list_collections()):
            raise _no_collection(collection)

    async def _listed(self, collection: str, source: str) -> str:
        """Return a document's source: as it is given, or that of an upload by its name.

        Raises:
            NotFound: There is no such document; what others there are is not told.
        """
        await self._known(collection)
        known = {document.source for document in await self._rooms.knowledge.listing(collection)}
        for name in (source, str(self._uploads(collection) / source)):
            if name in known:
                return name
        raise NotFound(f"No document '{source[:200]}' is in collection '{collection}'.", source=source[:200])

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


def _no_collection(name: str) -> NotFound:
    return NotFound(f"There is no collection '{name}'.", collection=name)


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
    """Write a file whole, or leave what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
        except OSError:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)


def _memory(memory: Memory) -> dict[str, Any]:
    return dataclasses.asdict(memory)
