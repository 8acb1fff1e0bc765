"""The rooms of one tenant, each built when it is first asked for.

What does not live here: what is done with them (`switchboard`).
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from motet.app.control import build_budgets, graph_parts, surroundings
from motet.egress.client import Egress
from motet.graphs.base import build_graph
from motet.runs.log.base import LOGS
from motet.runs.queue.base import target_of
from motet.runs.records import Records
from motet.sandbox.box import Sandbox
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.tools.policy.standing import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from motet.agents.base import AgentParts
    from motet.app.tasks import TaskRoom
    from motet.memory.checkpoints import MotetSaver
    from motet.memory.recall import Memories
    from motet.memory.serde import StrictSerializer
    from motet.memory.store import MotetStore
    from motet.models.base import ConnectedModel
    from motet.models.cassette import Cassette
    from motet.models.roles import Models
    from motet.retrieval.base import Embedder, Reranker, Retriever
    from motet.retrieval.collection import KnowledgeBase
    from motet.retrieval.index import VectorIndexes
    from motet.runs.budgets.service import Budgets
    from motet.runs.log.base import EventLog
    from motet.runs.queue.base import Claim, RunQueue
    from motet.runs.recordings.service import Recordings
    from motet.runs.request import RunOptions, RunRequest
    from motet.runs.threads.service import Threads
    from motet.settings import Settings
    from motet.storage.seal import Seal
    from motet.tools.ledger.base import Ledger
    from motet.tools.mcp.shelf import McpShelf
    from motet.tools.policy.guard import Guard


class _Connected(NamedTuple):
    """The models that a run's agents are given: by role, and of single agents by name."""

    fast: ConnectedModel
    deep: ConnectedModel
    own: dict[str, ConnectedModel]


class Rooms:
    """The rooms, each built when it is first asked for."""

    def __init__(self, settings: Settings, tenant_id: str) -> None:
        self._settings = settings
        self._tenant_id = tenant_id
        self._models: Models | None = None
        self._knowledge: KnowledgeBase | None = None
        self._indexes: VectorIndexes | None = None
        self._embedder: Embedder | None = None
        self._has_embedder = False
        self._seal: Seal | None = None
        self._serializer: StrictSerializer | None = None
        self.egress = Egress(settings.egress)
        self.policy = Policy.read(settings.permissions, settings.own_file)
        self.sandbox = Sandbox(settings.sandbox)
        self._saver: MotetSaver | None = None
        self._store: MotetStore | None = None
        self._mcp: McpShelf | None = None
        self.given_tools: Sequence[Any] = ()
        self._memories: Memories | None = None
        self._graphs: dict[str, CompiledStateGraph[Any, Any, Any, Any]] = {}
        self._tenants: dict[str, Rooms] = {tenant_id: self}

    @property
    def tenant_id(self) -> str:
        """Whose rooms they are."""
        return self._tenant_id

    def of(self, tenant_id: str) -> Rooms:
        """Return another tenant's rooms: documents, memories and checkpoints of its own, over the same models."""
        found = self._tenants.get(tenant_id)
        if found is None:
            found = Rooms(self._settings, tenant_id)
            found.database, found._models, found._tenants = self.database, self.models, self._tenants
            found._embedder, found._has_embedder = self.embedder, True
            found.egress, found.sandbox, found.policy = self.egress, self.sandbox, self.policy
            found.given_tools = self.given_tools
            found._indexes, found.log, found.queue = self.indexes, self.log, self.queue
            found.records = Records(self.database, tenant_id)
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
        self.log: EventLog = load(LOGS["sql"])(self.database, settings.runs)
        self.queue: RunQueue = load(target_of(settings.runs.queue))(self.database, settings.runs)

    @property
    def threads(self) -> Threads:
        """What can be done with threads."""
        from motet.runs.threads.service import Threads  # noqa: PLC0415

        return Threads(self.database, self.records, self.saver, self._tenant_id)

    @property
    def models(self) -> Models:
        """The models by role, one set for all tenants."""
        if self._models is None:
            from motet.models.roles import Models  # noqa: PLC0415

            self._models = Models(self._settings)
        return self._models

    @property
    def knowledge(self) -> KnowledgeBase:
        """The tenant's documents."""
        if self._knowledge is None:
            from motet.retrieval.collection import KnowledgeBase  # noqa: PLC0415
            from motet.retrieval.parse.process import build_parser  # noqa: PLC0415

            settings = self._settings
            self._knowledge = KnowledgeBase(
                self.database,
                settings.retrieval,
                self.embedder,
                tenant_id=self._tenant_id,
                indexes=self.indexes,
                parser=build_parser(settings.retrieval, settings.loaders, sandbox=self.sandbox),
                fetch=self.egress.fetch,
            )
        return self._knowledge

    @property
    def indexes(self) -> VectorIndexes:
        """Where documents' vectors are searched; one for every tenant."""
        if self._indexes is None:
            from motet.retrieval.index import VectorIndexes  # noqa: PLC0415
            from motet.retrieval.vectors.stores import build_store  # noqa: PLC0415

            settings = self._settings.retrieval
            self._indexes = VectorIndexes(build_store(settings.vectors, settings.vectors_at))
        return self._indexes

    @property
    def reranker(self) -> Reranker | None:
        """What orders found passages once more; None unless the settings name one."""
        settings = self._settings.retrieval
        if settings.rerank == "model":
            from motet.agents.prompts import Prompts  # noqa: PLC0415
            from motet.agents.reranker import ModelReranker  # noqa: PLC0415

            prompts = Prompts.of(self._settings.agents)
            return ModelReranker(lambda: self.models.chat("fast"), prompts)
        if settings.rerank:
            from motet.retrieval.rerank import HttpReranker  # noqa: PLC0415

            key = settings.rerank_api_key.reveal()
            return HttpReranker(settings.rerank, model=settings.rerank_model, api_key=key)
        return None

    @property
    def embedder(self) -> Embedder | None:
        """The model of the role `embed`, one for documents and memories; it loads when it is first used."""
        if not self._has_embedder:
            from motet.models.embeddings import wire_embedder  # noqa: PLC0415
            from motet.retrieval.embed import EMBEDDERS, build_embedder  # noqa: PLC0415

            name = self._settings.models.embed
            is_wire = name.partition(":")[0] not in EMBEDDERS and ":" in name
            made: Any = wire_embedder(name, self._settings) if is_wire else build_embedder(name)
            self._embedder = made
            self._has_embedder = True
        return self._embedder

    @property
    def seal(self) -> Seal:
        """What authenticates stored state."""
        if self._seal is None:
            from motet.storage.seal import load_seal  # noqa: PLC0415

            self._seal = load_seal(self._settings.storage)
        return self._seal

    @property
    def saver(self) -> MotetSaver:
        """The tenant's checkpoints."""
        if self._saver is None:
            from motet.memory.checkpoints import MotetSaver  # noqa: PLC0415

            self._saver = MotetSaver(
                self.database,
                self.seal,
                tenant_id=self._tenant_id,
                cache_items=self._settings.storage.cache_items,
            )
        return self._saver

    def ledger(self, claim: Claim) -> Ledger:
        """Return the ledger of the tool calls that an attempt of a run makes."""
        from motet.tools.ledger.sql import Attempt, SqlLedger  # noqa: PLC0415

        if self._serializer is None:  # it looks at every class that it lets through
            from motet.memory.serde import StrictSerializer  # noqa: PLC0415

            self._serializer = StrictSerializer()
        job = claim.job
        again = job.options.reuse_results_of
        attempt = Attempt(job.tenant_id, job.thread_id, job.run_id, claim.fence, again)
        return SqlLedger(self.database, self.seal, self._serializer, attempt)

    @property
    def store(self) -> MotetStore:
        """What outlives a thread, as LangGraph's store."""
        if self._store is None:
            from motet.memory.store import MotetStore  # noqa: PLC0415

            self._store = MotetStore(self.database, tenant_id=self._tenant_id, embedder=self.embedder)
        return self._store

    def guard(self, claim: Claim) -> Guard:
        """Return what decides the tool calls that an attempt of a run makes."""
        from motet.app.toolbox import guard_of  # noqa: PLC0415

        return guard_of(self.database, claim, self.policy.table, self._settings.tools)

    @property
    def budgets(self) -> Budgets:
        """What runs may spend; see `build_budgets` for errors."""
        return build_budgets(self.database, self.log, self._settings)

    @property
    def recordings(self) -> Recordings:
        """The recordings of runs."""
        from motet.runs.recordings.service import Recordings  # noqa: PLC0415

        return Recordings(
            self.database,
            by_default=self._settings.runs.record,
            secrets=self._settings.secrets(),
            surroundings=lambda job: surroundings(self, job, dict(self._settings.graphs)),
        )

    @property
    def memories(self) -> Memories:
        """What agents remember beyond a thread."""
        if self._memories is None:
            from motet.memory.recall import Memories  # noqa: PLC0415

            self._memories = Memories(self.store)
        return self._memories

    @property
    def tasks(self) -> TaskRoom:
        """Task files: locked, trusted, compiled."""
        from motet.app.tasks import TaskRoom  # noqa: PLC0415

        return TaskRoom(self, self._settings)

    async def retriever(self, options: RunOptions | None) -> Retriever | None:
        """Return a search over the documents; None while there are none."""
        from motet.retrieval.collection import DEFAULT_COLLECTION  # noqa: PLC0415
        from motet.retrieval.search import HybridRetriever  # noqa: PLC0415

        wanted = (options.collections if options else None) or [DEFAULT_COLLECTION]
        known = {found.name for found in await self.knowledge.list_collections()}
        there = [name for name in wanted if name in known]
        outside = self._settings.retrieval.llama_index
        if not there and not outside and (options is None or options.played() is None):
            return None
        from motet.runs.recordings.taps import TappedRetriever  # noqa: PLC0415

        inner = HybridRetriever(self.knowledge, there, reranker=self.reranker) if there else None
        if outside:
            from motet.retrieval.llama_index import with_llama_index  # noqa: PLC0415

            return TappedRetriever(with_llama_index(inner, outside, self.embedder))
        return TappedRetriever(inner)

    async def tools(self, options: RunOptions | None, retriever: Retriever | None = None) -> list[BaseTool]:
        """Return the tools that a run with these options may use; `retriever` where it is known already."""
        from motet.app.toolbox import tools_of  # noqa: PLC0415

        found = retriever or await self.retriever(options)
        return await tools_of(self, self._settings, options, found, options.tools if options else None)

    @property
    def mcp(self) -> McpShelf:
        """The MCP servers of the settings, and what is approved of them."""
        if self._mcp is None:
            from motet.tools.mcp.shelf import McpShelf  # noqa: PLC0415

            settings = self._settings
            self._mcp = McpShelf(settings.mcp, settings.storage.home, self.egress, settings.tools)
        return self._mcp

    async def graph(self, name: str, options: RunOptions) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Build a graph for a run; one graph serves every run with the same options."""
        options = options.model_copy(update=dict.fromkeys(("reuse_results_of", "budget", "record")))
        if options.task is not None or name in self._settings.tasks:
            return await self._task_graph(name, options)
        played = options.played()
        if played is not None:
            cassette = await self.recordings.played(self._tenant_id, played)
            return await self._played_graph(name, options, cassette)
        retriever = await self.retriever(options)
        key = f"{name} {options.model_dump_json()} {retriever is None}"
        found = self._graphs.get(key)
        if found is None:
            agents = await self._agent_parts(options, retriever, await self.connected(options))
            parts = graph_parts(agents, self.memories, self.database, self._tenant_id)
            found = build_graph(name, parts, own=self._settings.graphs, checkpointer=self.saver)
            self._graphs[key] = found
        return found

    async def locked(self, request: RunRequest) -> RunRequest:
        """Return a request whose graph is a task file with the lock of the file as it is now; others as they are."""
        name = request.graph or self._settings.agents.graph
        if request.options.task is not None or name not in self._settings.tasks or request.input is None:
            return request
        file = await self.tasks.file(name, request.options)
        may_allow = bool(request.caller.scopes & {"*", "permissions:write"})
        options = await self.tasks.options(file, request.options, may_allow=may_allow)
        return request.model_copy(update={"options": options})

    async def _task_graph(self, name: str, options: RunOptions) -> CompiledStateGraph[Any, Any, Any, Any]:
        file = await self.tasks.file(name, options)
        key = f"task {file.digest} {file.model} {options.model_dump_json()}"
        if key not in self._graphs:
            self._graphs[key] = self.tasks.compile(file, options).copy({"checkpointer": self.saver})
        return self._graphs[key]

    async def _played_graph(
        self, name: str, options: RunOptions, cassette: Cassette
    ) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Build a graph whose models say what a recording has; no other run is given it."""
        from motet.models.base import ModelSpec  # noqa: PLC0415
        from motet.models.replay import replayed  # noqa: PLC0415

        played, spec = options.replay, ModelSpec("replay", "recorded")
        live = played is not None and (played.live or played.live_from is not None)
        inner = await self.connected(options) if live else None
        models = _Connected(
            replayed(spec, cassette, "fast", inner.fast if inner is not None else None),
            replayed(spec, cassette, "deep", inner.deep if inner is not None else None),
            {agent: replayed(spec, cassette, "fast", own) for agent, own in inner.own.items()}
            if inner
            else {},
        )
        if options.tools is None:
            options = options.model_copy(update={"tools": cassette.header.get("tools")})
        searched = "search_documents" in (options.tools or ())
        retriever = await self.retriever(options) if searched else None
        agents = await self._agent_parts(options, retriever, models)
        parts = graph_parts(agents, self.memories, self.database, self._tenant_id)
        return build_graph(name, parts, own=self._settings.graphs, checkpointer=self.saver)

    async def connected(self, options: RunOptions) -> _Connected:
        """Connect the models that a run's agents are given."""
        from motet.agents.base import ROLES  # noqa: PLC0415
        from motet.runs.choice import choice_of  # noqa: PLC0415

        chosen = choice_of(options, self._settings.models)
        own = {agent: await self.models.chat(ROLES[agent], spec) for agent, spec in chosen.agents.items()}
        return _Connected(
            await self.models.chat("fast", chosen.roles.get("fast")),
            await self.models.chat("deep", chosen.roles.get("deep")),
            own,
        )

    async def _agent_parts(
        self, options: RunOptions, retriever: Retriever | None, models: _Connected
    ) -> AgentParts:
        from motet.agents.base import AgentParts  # noqa: PLC0415
        from motet.agents.prompts import Prompts  # noqa: PLC0415

        settings = self._settings.agents
        prompts = Prompts.of(settings)
        prompts.check()
        return AgentParts(
            fast=models.fast,
            deep=models.deep,
            own_models=models.own,
            prompts=prompts,
            settings=settings,
            tools=await self.tools(options, retriever),
            retriever=retriever,
            documents_named=bool(options.collections),
        )

    async def aclose(self) -> None:
        """Close what was opened, the last first."""
        for rooms in self._tenants.values():
            rooms._graphs.clear()  # noqa: SLF001  # its own kind
            if rooms._mcp is not None:  # noqa: SLF001
                await rooms._mcp.aclose()  # noqa: SLF001
        if self._models is not None:
            await self._models.aclose()
        if self._indexes is not None:
            await asyncio.to_thread(self._indexes.close)
        if hasattr(self, "database"):
            await asyncio.to_thread(self.database.close)


def load(target: str) -> Any:
    """Return what an import string (`module:name`) of a table names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
