"""The switchboard: builds the rooms from settings and connects them. The only file that knows every room.

Making an app is light. Rooms that import LangGraph or a model's client open when the first run needs them.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from motet import telemetry
from motet.graphs.base import DESCRIPTIONS, GraphParts, build_graph, known_graphs
from motet.runs.erase import erase_memories
from motet.runs.log.base import LOGS
from motet.runs.queue.base import QUEUES
from motet.runs.records import Records
from motet.runs.request import LOCAL_TENANT, Accepted, RunJob, RunOptions, RunRequest
from motet.runs.schedules import Schedules
from motet.runs.submit import Gate
from motet.storage.engine import Database
from motet.storage.schema import prepare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from motet.agents.base import AgentParts
    from motet.events import Recorded
    from motet.memory.checkpoints import MotetSaver
    from motet.memory.fact import Memory
    from motet.memory.recall import Memories
    from motet.models.roles import Models
    from motet.retrieval.base import Embedder, Retriever
    from motet.retrieval.collection import KnowledgeBase
    from motet.runs.log.base import EventLog
    from motet.runs.queue.base import Claim, RunQueue
    from motet.runs.threads.service import Threads
    from motet.runs.threads.transfer import ThreadFile
    from motet.runs.worker import Worker
    from motet.settings import Settings
    from motet.storage.seal import Seal
    from motet.telemetry import Finding
    from motet.tools.ledger.base import Ledger

HEAVY = ("motet.runs.execute", "motet.runs.worker", "motet.graphs.ensemble", "motet.memory.checkpoints")
"""Modules that a first run imports; `start_worker` does it on a thread, while somebody types."""

CHECKS = (
    "motet.storage.check:check_storage",
    "motet.models.embedded_check:check_embedded",
    "motet.models.server_check:check_servers",
    "motet.retrieval.check:check_embedder",
)
"""What `doctor` asks: functions from settings to a list of findings."""


def build_app(settings: Settings) -> App:
    """Make an app. Nothing is opened until it is entered: it is an async context manager."""
    return App(settings)


class App:
    """One Motet in one process. Two with different settings live side by side."""

    def __init__(self, settings: Settings, *, tenant_id: str = LOCAL_TENANT) -> None:
        self.settings = settings
        self.tenant_id = tenant_id
        self._rooms = _Rooms(settings, tenant_id)
        self._worker: Worker | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._waiting: set[str] = set()

    async def __aenter__(self) -> Self:
        telemetry.setup_logging(self.settings.log.level, secrets=self.settings.secrets())
        await asyncio.to_thread(self._rooms.open)
        self._gate = Gate(
            self._rooms.database,
            graphs=self.graph_names(),
            default_graph=self.settings.agents.graph,
            on_accepted=self._accepted,
            interrupt_ttl_s=self.settings.runs.interrupt_ttl_s,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def records(self) -> Records:
        """Threads, runs and transcripts as they stand on disk."""
        return self._rooms.records

    @property
    def threads(self) -> Threads:
        """What can be done with threads: fork, rewind, compare, tag, delete."""
        return self._rooms.threads

    @property
    def models(self) -> Models:
        """The models by role."""
        return self._rooms.models

    @property
    def knowledge(self) -> KnowledgeBase:
        """The documents."""
        return self._rooms.knowledge

    @property
    def memories(self) -> Memories:
        """What agents remember beyond a thread."""
        return self._rooms.memories

    @property
    def schedules(self) -> Schedules:
        """Runs that begin by the clock, in processes whose worker takes every thread."""
        return Schedules(self._rooms.database, self._gate, self.tenant_id)

    def graph_names(self) -> dict[str, str]:
        """Return what each graph is good for, by name; for a user's own, where it comes from."""
        known = known_graphs(self.settings.graphs)
        return {name: DESCRIPTIONS.get(name, target) for name, target in sorted(known.items())}

    async def tools(self, options: RunOptions | None = None) -> list[BaseTool]:
        """Return the tools that a run with these options may use."""
        return await self._rooms.tools(options)

    async def submit(self, request: RunRequest) -> Accepted:
        """Start a run: the one way in. It is on disk when this returns; see `Gate.submit` for errors."""
        return await self._gate.submit(request)

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield a run's events from the log as they come, after a number; end with its terminal event."""
        return self._rooms.log.follow(self.tenant_id, run_id, after=after)

    async def cancel(self, run_id: str, *, reason: str = "cancelled") -> bool:
        """Stop a run, wherever it is; False when it had ended already. Its terminal event tells that it stopped."""
        asked = await self._rooms.queue.request_cancel(self.tenant_id, run_id)
        if self._worker is not None:
            await self._worker.stop(run_id, reason)
        return asked

    async def start_worker(self, *, every_thread: bool = False) -> Worker:
        """Begin to execute runs in this process, by the worker that is returned; a second call begins no other.

        Args:
            every_thread: Take any run of the database, as a server does. Otherwise only runs of threads that this
                process submits to, what a crash left unfinished on them included.
        """
        if self._worker is not None:
            return self._worker
        await asyncio.to_thread(lambda: [import_module(name) for name in HEAVY])
        from motet.runs.execute import Engine  # noqa: PLC0415  # imported just now, on the thread
        from motet.runs.retry import RetryPolicy  # noqa: PLC0415
        from motet.runs.threads.upkeep import DAY_S, keep_tidy  # noqa: PLC0415
        from motet.runs.upkeep import chores_of  # noqa: PLC0415
        from motet.runs.worker import Worker  # noqa: PLC0415

        runs, threads = self.settings.runs, None if every_thread else set(self._waiting)
        engine = Engine(
            log=self._rooms.log,
            build_graph=self._graph_of,
            spec_of=lambda job: self.models.spec("deep", job.options.model),
            max_steps=self.settings.agents.max_steps,
            max_attempts=runs.max_attempts,
            retry=RetryPolicy(runs.max_retries, runs.retry_delay_s, runs.retry_max_delay_s),
            undo=self._undo,
            keep_calls=self._rooms.ledger,
            crash=self._rooms.database.crash,
        )
        chores = [*chores_of(self._rooms.database, runs), *([self.schedules.tick] if every_thread else [])]
        worker = Worker(self._rooms.queue, engine, runs, threads=threads, chores=chores)
        await worker.start()
        self._worker = worker
        for thread_id in self._waiting:
            worker.wake(thread_id)
        tidy = keep_tidy(self.threads, default_ttl_s=self.settings.runs.thread_ttl_days * DAY_S)
        self._tidying = asyncio.create_task(tidy, name="motet-tidy")
        return worker

    async def resume_thread(self, thread_id: str) -> list[str]:
        """Have this process finish what a crash left on a thread; return the ids of those runs, oldest first."""
        runs = await self.records.unfinished(thread_id)
        if runs:
            self._wake(thread_id)
        return [run.run_id for run in runs]

    async def graph(self, name: str, *, model: str | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Return a plain LangGraph graph with its model connected and Motet's checkpointer; for code of your own.

        Raises:
            NotFound: No graph has this name.
            ModelError: Its model cannot be reached.
        """
        return await self._rooms.graph(name, RunOptions(model=model))

    async def stream(self, request: RunRequest) -> AsyncIterator[Recorded]:
        """Start a run and yield its events; the worker is started when it is not."""
        await self.start_worker()
        accepted = await self.submit(request)
        async for recorded in self.follow(accepted.run_id):
            yield recorded

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread with everything that belongs to it.

        Raises:
            NotFound: There is no such thread.
            Conflict: A run of it has not ended; stop that first.
        """
        await self.threads.delete((await self.records.thread(thread_id)).thread_id)

    async def import_threads(self, files: Sequence[ThreadFile], *, new_ids: bool = False) -> list[str]:
        """Store threads that were read from a file, all or none; see `Importer.run`."""
        from motet.runs.threads.importing import Importer  # noqa: PLC0415

        return await Importer(self._rooms.database, self._rooms.saver, self.tenant_id).run(
            files, new_ids=new_ids
        )

    async def forget(self, memory_ids: Sequence[str]) -> list[Memory]:
        """Forget memories for good, every version, in the runs' logs too; return what is gone.

        What was said stays in its conversation: `delete_thread` deletes that. On SQLite nothing of the memory's text
        is left in the database's file, unless another process is reading it just now: then with its next checkpoint.
        """
        gone = await self.memories.forget(memory_ids)
        pairs = {(memory.source.run_id, memory.memory_id) for memory in gone}
        await self._rooms.database.write(lambda c: erase_memories(c, self.tenant_id, pairs))
        await asyncio.to_thread(self._rooms.database.empty_journal)
        return gone

    async def doctor(self) -> list[Finding]:
        """Look at everything that a run needs, and say what is missing and how to get it; no need to enter the app."""
        found = [await asyncio.to_thread(_load(check), self.settings) for check in CHECKS]
        return [finding for findings in found for finding in findings]

    async def aclose(self) -> None:
        """Stop the worker, give unfinished runs back, end child processes, close the database."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
            self._tidying = None
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.aclose()
        await self._rooms.aclose()

    async def _graph_of(self, job: RunJob) -> CompiledStateGraph[Any, Any, Any, Any]:
        return await self._rooms.of(job.tenant_id).graph(job.graph, job.options)

    async def _undo(self, job: RunJob) -> None:
        await self._rooms.of(job.tenant_id).saver.adelete_for_runs([job.run_id])

    def _accepted(self, job: RunJob) -> None:
        self._rooms.queue.accepted(job)
        self._wake(job.thread_id)

    def _wake(self, thread_id: str) -> None:
        self._waiting.add(thread_id)
        if self._worker is not None:
            self._worker.wake(thread_id)


class _Rooms:
    """The rooms, each built when it is first asked for."""

    def __init__(self, settings: Settings, tenant_id: str) -> None:
        self._settings = settings
        self._tenant_id = tenant_id
        self._models: Models | None = None
        self._knowledge: KnowledgeBase | None = None
        self._embedder: Embedder | None = None
        self._has_embedder = False
        self._seal: Seal | None = None
        self._saver: MotetSaver | None = None
        self._memories: Memories | None = None
        self._graphs: dict[str, CompiledStateGraph[Any, Any, Any, Any]] = {}
        self._tenants: dict[str, _Rooms] = {tenant_id: self}

    def of(self, tenant_id: str) -> _Rooms:
        """Return another tenant's rooms: documents, memories and checkpoints of its own, over the same models."""
        found = self._tenants.get(tenant_id)
        if found is None:
            found = _Rooms(self._settings, tenant_id)
            found.database, found._models, found._tenants = self.database, self.models, self._tenants
            found._embedder, found._has_embedder = self.embedder, True
            self._tenants[tenant_id] = found
        return found

    def open(self) -> None:
        """Open the database and what is light."""
        settings = self._settings
        self.database = Database(settings.storage)
        try:
            prepare(self.database, settings.storage)
        except BaseException:
            self.database.close()
            raise
        self.records = Records(self.database, self._tenant_id)
        self.log: EventLog = _load(LOGS["sql"])(self.database, settings.runs)
        self.queue: RunQueue = _load(QUEUES["sql"])(self.database, settings.runs)

    @property
    def threads(self) -> Threads:
        from motet.runs.threads.service import Threads  # noqa: PLC0415

        return Threads(self.database, self.records, self.saver, self._tenant_id)

    @property
    def models(self) -> Models:
        if self._models is None:
            from motet.models.roles import Models  # noqa: PLC0415

            self._models = Models(self._settings)
        return self._models

    @property
    def knowledge(self) -> KnowledgeBase:
        if self._knowledge is None:
            from motet.retrieval.collection import KnowledgeBase  # noqa: PLC0415

            self._knowledge = KnowledgeBase(
                self.database, self._settings.retrieval, self.embedder, tenant_id=self._tenant_id
            )
        return self._knowledge

    @property
    def embedder(self) -> Embedder | None:
        """The model of the role `embed`, one for documents and memories; it loads when it is first used."""
        if not self._has_embedder:
            from motet.retrieval.embed import build_embedder  # noqa: PLC0415

            self._embedder, self._has_embedder = build_embedder(self._settings.models.embed), True
        return self._embedder

    @property
    def seal(self) -> Seal:
        if self._seal is None:
            from motet.storage.seal import load_seal  # noqa: PLC0415

            self._seal = load_seal(self._settings.storage)
        return self._seal

    @property
    def saver(self) -> MotetSaver:
        if self._saver is None:
            from motet.memory.checkpoints import MotetSaver  # noqa: PLC0415

            self._saver = MotetSaver(self.database, self.seal, tenant_id=self._tenant_id)
        return self._saver

    def ledger(self, claim: Claim) -> Ledger:
        """Return the ledger of the tool calls that an attempt of a run makes."""
        from motet.memory.serde import StrictSerializer  # noqa: PLC0415
        from motet.tools.ledger.sql import Attempt, SqlLedger  # noqa: PLC0415

        job = claim.job
        again = job.options.reuse_results_of
        attempt = Attempt(job.tenant_id, job.thread_id, job.run_id, claim.fence, again)
        return SqlLedger(self.database, self.seal, StrictSerializer(), attempt)

    @property
    def memories(self) -> Memories:
        if self._memories is None:
            from motet.memory.recall import Memories  # noqa: PLC0415
            from motet.memory.store import MotetStore  # noqa: PLC0415

            store = MotetStore(self.database, tenant_id=self._tenant_id, embedder=self.embedder)
            self._memories = Memories(store)
        return self._memories

    async def retriever(self, options: RunOptions | None) -> Retriever | None:
        """Return a search over the documents; None while there are none."""
        from motet.retrieval.collection import DEFAULT_COLLECTION  # noqa: PLC0415
        from motet.retrieval.search import HybridRetriever  # noqa: PLC0415

        wanted = (options.collections if options else None) or [DEFAULT_COLLECTION]
        known = {found.name for found in await self.knowledge.list_collections()}
        there = [name for name in wanted if name in known]
        return HybridRetriever(self.knowledge, there) if there else None

    async def tools(self, options: RunOptions | None, retriever: Retriever | None = None) -> list[BaseTool]:
        from motet.tools.base import ToolContext, build_tools  # noqa: PLC0415

        context = ToolContext(self._settings.tools, retriever or await self.retriever(options))
        return build_tools(context, options.tools if options else None)

    async def graph(self, name: str, options: RunOptions) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Build a graph for a run; one graph serves every run with the same options."""
        options = options.model_copy(update=dict.fromkeys(("reuse_results_of", "budget", "record")))
        retriever = await self.retriever(options)
        key = f"{name} {options.model_dump_json()} {retriever is None}"
        found = self._graphs.get(key)
        if found is None:
            agents = await self._agent_parts(options, retriever)
            parts = GraphParts(agents, self.memories)
            found = build_graph(name, parts, own=self._settings.graphs, checkpointer=self.saver)
            self._graphs[key] = found
        return found

    async def _agent_parts(self, options: RunOptions, retriever: Retriever | None) -> AgentParts:
        from motet.agents.base import AgentParts  # noqa: PLC0415
        from motet.agents.prompts import Prompts  # noqa: PLC0415

        settings = self._settings.agents
        return AgentParts(
            fast=await self.models.chat("fast", options.model),
            deep=await self.models.chat("deep", options.model),
            prompts=Prompts(override=settings.prompts, language=settings.language),
            settings=settings,
            tools=await self.tools(options, retriever),
            retriever=retriever,
        )

    async def aclose(self) -> None:
        """Close what was opened, the last first."""
        for rooms in self._tenants.values():
            rooms._graphs.clear()  # noqa: SLF001  # its own kind
        if self._models is not None:
            await self._models.aclose()
        if hasattr(self, "database"):
            await asyncio.to_thread(self.database.close)


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
