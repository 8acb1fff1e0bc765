"""Task files in an app: what they are made of, their locks, and which of them may run programs.

What does not live here: reading and compiling them (`motet.tasks`).
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.agents.prompts import Prompts
from motet.app.limits import with_limits
from motet.app.toolbox import tool_names, tools_of
from motet.errors import DocumentUnreadable, NotFound, PermissionRefused
from motet.graphs.base import known_graphs
from motet.runs.choice import choice_of
from motet.tasks import keep
from motet.tasks.check import Known
from motet.tasks.compile import compile_task
from motet.tasks.load import load_task
from motet.tasks.parts import TaskParts
from motet.tasks.trust import is_trusted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from motet.app.rooms import Rooms
    from motet.events import Passage
    from motet.models.base import ConnectedModel, Role
    from motet.retrieval.base import Retriever
    from motet.runs.request import RunOptions
    from motet.settings import Settings
    from motet.tasks.load import TaskFile


class TaskRoom:
    """The task files of one tenant."""

    def __init__(self, rooms: Rooms, settings: Settings) -> None:
        self._rooms = rooms
        self._settings = settings

    def known(self) -> Known:
        """Return the tools and graphs that a task file may name."""
        return Known(
            frozenset(tool_names(self._rooms, self._settings)), frozenset(known_graphs(self._settings.graphs))
        )

    async def file(self, name: str, options: RunOptions) -> TaskFile:
        """Return the task file of a run: the locked one, else the one that the settings name.

        Raises:
            NotFound: There is no such lock, or no file of this name.
            InvalidInput: The file is wrong.
        """
        if options.task is not None:
            return await keep.load_lock(self._rooms.store, options.task)
        if name not in self._settings.tasks:
            raise NotFound(f"The graph '{name}' runs a task file: motet run FILE.", graph=name)
        path = Path(self._settings.tasks[name])
        return await asyncio.to_thread(load_task, path, self.known(), model=options.model)

    async def lock(self, file: TaskFile) -> str:
        """Store what a run of a task file goes by; return the digest for `RunOptions.task`."""
        return await keep.keep_lock(self._rooms.store, file)

    async def options(self, file: TaskFile, options: RunOptions, *, may_allow: bool = True) -> RunOptions:
        """Lock a task file, and return a run's options with its lock, its budget and its permissions.

        `may_allow` says whether the caller may let a run do more than the settings do.
        """
        digest = await self.lock(file)
        trusted = is_trusted(self._settings.storage.home, file.digest)
        limited = with_limits(options, file, trusted=trusted, may_allow=may_allow)
        return limited.model_copy(update={"task": digest})

    def compile(self, file: TaskFile, options: RunOptions) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Compile a task file, its steps made of this app's rooms."""
        return compile_task(file, self.parts(options))

    def parts(self, options: RunOptions) -> TaskParts:
        """Return what tasks are made of, for runs with these options."""
        rooms = self._rooms
        chosen = choice_of(options, self._settings.models).roles

        async def chat(role: Role, spec: str | None) -> ConnectedModel:
            return await rooms.models.chat(role, spec or chosen.get(role))

        async def tools(names: Sequence[str], retriever: Retriever | None) -> list[BaseTool]:
            found = retriever or (await rooms.retriever(options) if "search_documents" in names else None)
            return await tools_of(rooms, self._settings, options, found, names)

        async def graph(name: str, spec: str | None) -> CompiledStateGraph[Any, Any, Any, Any]:
            inner = options.model_copy(update={"task": None, "model": spec or options.model})
            return (await rooms.graph(name, inner)).copy({"checkpointer": None})

        return TaskParts(
            chat=chat,
            model_name=lambda role, spec: str(rooms.models.spec(role, spec or chosen.get(role))),
            tools=tools,
            graph=graph,
            documents=self.documents,
            store=rooms.store,
            is_trusted=lambda digest: is_trusted(self._settings.storage.home, digest),
            prompts=Prompts.of(self._settings.agents),
        )

    async def documents(
        self, paths: Sequence[Path], folder: Path | None, limit: int | None = None
    ) -> tuple[Retriever, str]:
        """Take files and folders in, in a collection of their own, and return a search over it and its revision.

        What has not changed is not read again, and what is gone is taken out.

        Args:
            paths: What is to be searched.
            folder: Where they must lie, links followed, unless they were taken in before; None for anywhere.
            limit: Passages that a search gives; as the settings say unless given.

        Raises:
            PermissionRefused: One lies elsewhere.
            DocumentUnreadable: None of them could be taken in.
        """
        from motet.retrieval.search import HybridRetriever  # noqa: PLC0415  # most tasks have no documents

        absolute, root = await asyncio.to_thread(_resolved, paths, folder)
        name = collection_name(absolute)
        known = {found.name for found in await self._rooms.knowledge.list_collections()}
        outside = [path for path in absolute if root is not None and not path.is_relative_to(root)]
        if outside and name not in known:
            raise PermissionRefused(
                f"{outside[0]} is not in the task's folder {folder}, and was not taken in before.",
                path=str(outside[0]),
            )
        if not outside:
            await self._take_in(absolute, name)
        stats = await self._rooms.knowledge.stats(name)
        found = HybridRetriever(self._rooms.knowledge, [name])
        return (found if limit is None else _Limited(found, limit)), f"{name} {stats.revision} {limit}"

    async def _take_in(self, paths: Sequence[Path], name: str) -> None:
        knowledge = self._rooms.knowledge
        report = await knowledge.add(list(paths), collection=name)
        if not report.count("added", "replaced", "unchanged"):
            raise DocumentUnreadable(f"No document could be taken in from {', '.join(map(str, paths))}.")
        await knowledge.keep_only(report)


class _Limited:
    """A retriever that gives so many passages."""

    def __init__(self, inner: Retriever, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    async def search(self, query: str, *, limit: int | None = None) -> list[Passage]:
        """See `Retriever.search`."""
        return await self._inner.search(query, limit=limit or self._limit)

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """See `Retriever.nearness`."""
        return await self._inner.nearness(queries, texts)


def _resolved(paths: Sequence[Path], folder: Path | None) -> tuple[list[Path], Path | None]:
    absolute = sorted({path.expanduser().resolve() for path in paths})
    return absolute, folder.resolve() if folder is not None else None


def collection_name(paths: Sequence[Path]) -> str:
    """Return the name of the collection of documents that belongs to these absolute paths, in any order."""
    text = "\0".join(sorted(map(str, paths)))
    return "docs-" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
