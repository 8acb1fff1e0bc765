"""The app: connects the rooms, and is what doors hold.

What does not live here: how a room is built (`rooms`).

Making an app is light. Rooms that import LangGraph or a model's client open when the first run needs them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from motet import telemetry
from motet.app.allowances import Allowances
from motet.app.own_tools import OwnTools
from motet.app.rooms import Rooms, load
from motet.graphs.base import DESCRIPTIONS, known_graphs
from motet.runs.erase import erase_memories
from motet.runs.recordings.store import delete_with
from motet.runs.request import LOCAL_TENANT, Accepted, RunJob, RunOptions, RunRequest
from motet.runs.schedules import Schedules
from motet.runs.submit import Gate
from motet.storage.fence import Fence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from motet.app.tasks import TaskRoom
    from motet.app.tracing import Tracing
    from motet.events import Recorded
    from motet.memory.fact import Memory
    from motet.memory.recall import Memories
    from motet.models.roles import Models
    from motet.retrieval.collection import KnowledgeBase
    from motet.retrieval.filters import Where
    from motet.retrieval.search import HybridRetriever
    from motet.runs.budgets.service import Budgets
    from motet.runs.execute import Engine
    from motet.runs.log.base import EventLog
    from motet.runs.queue.base import Claim
    from motet.runs.recordings.service import Recordings
    from motet.runs.records import Records
    from motet.runs.request import Caller
    from motet.runs.threads.service import Threads
    from motet.runs.threads.transfer import ThreadFile
    from motet.runs.worker import Worker
    from motet.server.desk import Desk
    from motet.server.keys import Keys
    from motet.settings import Settings
    from motet.tools.mcp.shelf import McpShelf

TASK_GRAPH = "task"
"""The graph of runs of a task file that has no name in the settings; their options say which file."""

CHECKS = (
    "motet.storage.check:check_storage",
    "motet.models.embedded_check:check_embedded",
    "motet.models.server_check:check_servers",
    "motet.agents.prompts:check_prompts",
    "motet.retrieval.check:check_embedder",
    "motet.sandbox.check:check_sandbox",
    "motet.retrieval.check:check_parser",
)
"""What `doctor` asks: functions from settings to a list of findings."""


def build_app(settings: Settings, *, tools: Sequence[Any] = ()) -> App:
    """Make an app. Nothing is opened until it is entered: it is an async context manager.

    `tools` are functions and LangChain tools that its agents are given besides the usual ones; see `motet.tool`.
    """
    return App(settings, tools=tools)


class App:
    """One Motet in one process. Two with different settings live side by side."""

    def __init__(
        self, settings: Settings, *, tenant_id: str = LOCAL_TENANT, tools: Sequence[Any] = ()
    ) -> None:
        self.settings = settings
        self.tenant_id = tenant_id
        self._rooms = Rooms(settings, tenant_id)
        self._rooms.given_tools = tools
        self._worker: Worker | None = None
        self._beside: list[asyncio.Task[None]] = []
        self._tracing: Tracing | None = None
        self._waiting, self._graph_names = set[str](), dict[str, str]()
        self.allowances = Allowances(self._rooms)
        self.accepting = True  # whether callers' new runs are taken; not any more after `drain`

    async def __aenter__(self) -> Self:
        log = self.settings.log
        telemetry.setup_logging(log.level, secrets=self.settings.secrets(), form=log.form)
        await asyncio.to_thread(self._rooms.open)
        self._gate = Gate(
            self._rooms.database,
            graphs=[*self.graph_names(), TASK_GRAPH],
            default_graph=self.settings.agents.graph,
            on_accepted=self._accepted,
            interrupt_ttl_s=self.settings.runs.interrupt_ttl_s,
            configurable=self.settings.agents.configurable_names(),
            check_webhook=self._check_webhook,
            keep_rule=self._rooms.policy.allow,
            own_tools=OwnTools(self._rooms, self.settings),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def gate(self) -> Gate:
        """The one way in for runs."""
        return self._gate

    @property
    def log(self) -> EventLog:
        """The event log of every run."""
        return self._rooms.log

    @property
    def keys(self) -> Keys:
        """The keys of callers of the server, of every tenant."""
        from motet.server.keys import Keys  # noqa: PLC0415  # apps without doors need none

        pepper = self.settings.server.key_pepper.reveal().encode()
        return Keys(self._rooms.database, [pepper] if pepper else self._rooms.seal.derive("api keys"))

    async def fetch(self, url: str) -> bytes:
        """Fetch a public address by the one way out; see `Egress.fetch` for errors."""
        return (await self._rooms.egress.fetch(url)).body

    def keep_from(self, port: int) -> None:
        """Keep tools and everything else of this process from calling a port that the process listens at."""
        self._rooms.egress.rules.own_ports.add(port)

    def desk(self, caller: Caller) -> Desk:
        """Return what one caller may do, of its own tenant; what the server hands to its wires."""
        from motet.app.desk import CallerDesk  # noqa: PLC0415  # doors that only list need none

        return CallerDesk(self, self._rooms.of(caller.tenant_id), caller)

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

    def searcher(
        self, collections: Sequence[str] = ("default",), *, where: Where | None = None
    ) -> HybridRetriever:
        """Return a search over documents as agents have it, only of passages that meet conditions."""
        from motet.retrieval.search import HybridRetriever  # noqa: PLC0415  # FAISS

        return HybridRetriever(self.knowledge, collections, reranker=self._rooms.reranker, where=where)

    @property
    def mcp(self) -> McpShelf:
        """The MCP servers, and what is approved of them."""
        return self._rooms.mcp

    @property
    def recordings(self) -> Recordings:
        """The recordings of runs: to be played again, forked from, written to files."""
        return self._rooms.recordings

    @property
    def budgets(self) -> Budgets:
        """What runs may spend, and what they spent where there is a limit."""
        return self._rooms.budgets

    @property
    def memories(self) -> Memories:
        """What agents remember beyond a thread."""
        return self._rooms.memories

    @property
    def schedules(self) -> Schedules:
        """Runs that begin by the clock, in processes whose worker takes every thread."""
        return Schedules(self._rooms.database, self._gate, self.tenant_id, complete=self.complete)

    @property
    def tasks(self) -> TaskRoom:
        """Task files: locked, trusted, compiled."""
        return self._rooms.tasks

    def graph_names(self) -> dict[str, str]:
        """Return what each graph is good for, by name; for a user's own, where it comes from."""
        if not self._graph_names:  # to look at every installed package takes longer than a whole request
            known = known_graphs(self.settings.graphs) | dict(self.settings.tasks)
            self._graph_names = {n: DESCRIPTIONS.get(n, target) for n, target in sorted(known.items())}
        return dict(self._graph_names)

    async def tools(self, options: RunOptions | None = None) -> list[BaseTool]:
        """Return the tools that a run with these options may use."""
        return await self._rooms.tools(options)

    async def submit(self, request: RunRequest) -> Accepted:
        """Start a run: the one way in. It is on disk when this returns; see `Gate.submit` for errors."""
        return await self._gate.submit(await self.complete(request))

    async def complete(self, request: RunRequest) -> RunRequest:
        """Return a request as the gate is to have it: of a registered task file, with the lock of the file as it is."""
        return await self._rooms.of(request.caller.tenant_id).locked(request)

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield a run's events from the log as they come, after a number; end with its terminal event."""
        return self._rooms.log.follow(self.tenant_id, run_id, after=after)

    async def cancel(
        self, run_id: str, *, reason: str = "cancelled", tenant_id: str | None = None, undo: bool = False
    ) -> bool:
        """Stop a run, wherever it is; False when it had ended already. Its terminal event tells that it stopped.

        With `undo` its effects on the thread's state and transcript are taken back too.
        """
        tenant_id = tenant_id or self.tenant_id
        asked = await self._rooms.queue.request_cancel(tenant_id, run_id, undo=undo)
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
        from motet.app.warming import warm  # noqa: PLC0415

        await asyncio.to_thread(warm)
        from motet.app.tidying import tidy  # noqa: PLC0415  # imported just now, on the thread
        from motet.runs.upkeep import chores_of  # noqa: PLC0415
        from motet.runs.worker import Worker  # noqa: PLC0415

        runs, threads, engine = (
            self.settings.runs,
            None if every_thread else set(self._waiting),
            self._engine(),
        )
        chores = [*chores_of(self._rooms.database, runs), *([self.schedules.tick] if every_thread else [])]
        worker = Worker(self._rooms.queue, engine, runs, threads=threads, chores=chores)
        await worker.start()
        self._worker = worker
        for thread_id in self._waiting:
            worker.wake(thread_id)
        self._waiting.clear()
        tidying = tidy(self._rooms, self.settings.runs, every_tenant=every_thread)
        self._beside.append(asyncio.create_task(tidying, name="motet-tidy"))
        if every_thread and self.settings.egress.webhooks:
            from motet.app.webhooks import build_postman  # noqa: PLC0415  # apps that tell nobody need none

            self._beside.append(
                asyncio.create_task(build_postman(self, self._rooms).work(), name="motet-post")
            )
        return worker

    async def resume_thread(self, thread_id: str) -> list[str]:
        """Have this process finish what a crash left on a thread; return the ids of those runs, oldest first."""
        runs = await self.records.unfinished(thread_id)
        if runs:
            self._wake(thread_id)
        return [run.run_id for run in runs]

    def let_go(self, thread_id: str) -> None:
        """Take no further run of a thread in this process, where its worker does not take every thread's."""
        self._waiting.discard(thread_id)
        if self._worker is not None:
            self._worker.let_go(thread_id)

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

    async def forget(self, memory_ids: Sequence[str], *, tenant_id: str | None = None) -> list[Memory]:
        """Forget memories for good, every version, in the runs' logs too; return what is gone.

        What was said stays in its conversation: `delete_thread` deletes that. On SQLite nothing of the memory's text
        is left in the database's file, unless another process is reading it just now: then with its next checkpoint.
        """
        rooms = self._rooms.of(tenant_id or self.tenant_id)
        gone = await rooms.memories.forget(memory_ids)
        pairs = {(memory.source.run_id, memory.memory_id) for memory in gone}
        await self._rooms.database.write(lambda c: erase_memories(c, rooms.tenant_id, pairs))
        texts = [memory.text for memory in gone]
        await self._rooms.database.write(lambda c: delete_with(c, rooms.tenant_id, texts))
        await asyncio.to_thread(self._rooms.database.empty_journal)
        return gone

    async def doctor(self) -> list[telemetry.Finding]:
        """Look at everything that a run needs, and say what is missing and how to get it; no need to enter the app."""
        found = [await asyncio.to_thread(load(check), self.settings) for check in CHECKS]
        return [finding for findings in found for finding in findings]

    async def drain(self, grace_s: float) -> int:
        """Take no new runs of callers, let those at work go on for so long; return how many were given back then."""
        self.accepting = False
        return await self._worker.drain(grace_s) if self._worker is not None else 0

    async def asgi(self) -> Any:
        """Return this app as an ASGI application, to be served by any server: every wire of the settings.

        Runs are worked on where a worker is: here after `start_worker(every_thread=True)`, or in another process.
        """
        from motet.app.serving import open_server  # noqa: PLC0415  # apps without doors need no HTTP

        return await open_server(self)

    async def mount(self, host: Any, prefix: str) -> None:
        """Put this app's doors below a prefix of another ASGI application (Starlette, FastAPI), `/agents`."""
        host.mount(prefix, await self.asgi())

    async def aclose(self) -> None:
        """Stop the worker, give unfinished runs back, end child processes, close the database."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._beside.clear()
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.aclose()
        tracing, self._tracing = self._tracing, None
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
        await self._rooms.aclose()

    def _engine(self) -> Engine:
        from motet.app.tracing import open_tracing  # noqa: PLC0415
        from motet.runs.execute import Engine  # noqa: PLC0415
        from motet.runs.redact import MIN_CHARS  # noqa: PLC0415
        from motet.runs.retry import RetryPolicy  # noqa: PLC0415

        runs = self.settings.runs
        self._tracing = open_tracing(self.settings)
        return Engine(
            log=self._rooms.log,
            build_graph=self._graph_of,
            spec_of=lambda job: self.models.spec("deep", job.options.model),
            max_steps=self.settings.agents.max_steps,
            max_attempts=runs.max_attempts,
            retry=RetryPolicy(runs.max_retries, runs.retry_delay_s, runs.retry_max_delay_s),
            undo=self._undo,
            budgets=self._rooms.budgets,
            recordings=self._rooms.recordings,
            keep_calls=self._rooms.ledger,
            guard_calls=self._rooms.guard,
            crash=self._rooms.database.crash,
            redactor=telemetry.Redactor(self.settings.secrets(), at_least=MIN_CHARS),
            traces=self._tracing.traces if self._tracing is not None else None,
        )

    async def _graph_of(self, job: RunJob) -> CompiledStateGraph[Any, Any, Any, Any]:
        return await self._rooms.of(job.tenant_id).graph(job.graph, job.options)

    async def _undo(self, claim: Claim) -> None:
        job = claim.job
        fence = Fence(job.tenant_id, job.run_id, claim.fence)
        await self._rooms.of(job.tenant_id).saver.adelete_for_runs([job.run_id], fence=fence)

    def webhook_keys(self, tenant_id: str) -> list[bytes]:
        """Return the keys that messages to a tenant's webhooks are signed with, the newest first."""
        from motet.app.webhooks import keys_of  # noqa: PLC0415

        return keys_of(self._rooms, tenant_id)

    def _check_webhook(self, url: str) -> None:
        from motet.app.webhooks import receivers  # noqa: PLC0415  # runs without a webhook need none

        receivers(self._rooms, self.settings.egress.webhooks).check(url)

    def _accepted(self, job: RunJob) -> None:
        self._rooms.queue.accepted(job)
        self._wake(job.thread_id)

    def _wake(self, thread_id: str) -> None:
        if self._worker is not None:
            self._worker.wake(thread_id)
        else:
            self._waiting.add(thread_id)
