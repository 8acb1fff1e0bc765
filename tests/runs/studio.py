"""A small Motet around a script: database, gate, queue, log and engine, and whatever graph a test brings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from motet.events import Event, Recorded
from motet.graphs.base import with_checkpointer
from motet.models.base import ModelSpec
from motet.models.prices import Prices
from motet.runs.budgets.limits import Defaults
from motet.runs.budgets.service import Budgets
from motet.runs.execute import Engine
from motet.runs.log.sql import SqlLog
from motet.runs.queue.sql import SqlQueue
from motet.runs.records import Records
from motet.runs.request import Accepted, RunJob, RunRequest
from motet.runs.retry import RetryPolicy
from motet.runs.submit import Gate
from motet.runs.worker import Worker
from motet.settings import Settings, StorageSettings
from motet.storage.engine import Database
from motet.storage.schema import prepare

TENANT = "local"


def asks(text: str, **more: Any) -> RunRequest:
    """A request with one user's message."""
    return RunRequest(input={"messages": [{"role": "user", "content": text}]}, **more)


@dataclass
class Studio:
    """The engine room, its parts in the open. `graphs` maps names to functions that build a graph."""

    database: Database
    settings: Settings
    graphs: dict[str, Callable[[], Any]]
    saver: Any = field(default_factory=InMemorySaver)
    workers: list[Worker] = field(default_factory=list[Worker])
    defaults: Defaults = field(default_factory=Defaults)
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        self.log = SqlLog(self.database, self.settings.runs)
        self.queue = SqlQueue(self.database, self.settings.runs)
        self.records = Records(self.database, TENANT)
        self.gate = Gate(
            self.database,
            graphs=self.graphs,
            default_graph=next(iter(self.graphs)),
            on_accepted=self._wake,
        )
        self.engine = Engine(
            log=self.log,
            build_graph=self._build,
            spec_of=lambda _job: ModelSpec("scripted", "test"),
            max_steps=25,
            max_attempts=3,
            retry=RetryPolicy(self.settings.runs.max_retries, self.settings.runs.retry_delay_s),
            budgets=Budgets(
                self.database,
                self.log,
                self.defaults,
                self.prices,
                max_output_tokens=64,
                cheaper_model="embedded",
            ),
            undo=lambda claim: self.saver.adelete_for_runs([claim.job.run_id]),
        )

    async def submit(self, text: str, **more: Any) -> Accepted:
        return await self.gate.submit(asks(text, **more))

    async def work(self) -> Worker:
        """Start a worker for every thread."""
        worker = Worker(self.queue, self.engine, self.settings.runs)
        await worker.start()
        self.workers.append(worker)
        return worker

    async def events(self, run_id: str, after: int = 0) -> list[Event]:
        """Follow a run to its end."""
        return [recorded.event async for recorded in self.log.follow(TENANT, run_id, after=after)]

    async def recorded(self, run_id: str) -> list[Recorded]:
        return [recorded async for recorded in self.log.follow(TENANT, run_id)]

    async def graph(self, name: str) -> Any:
        return with_checkpointer(name, self.graphs[name](), self.saver)

    async def _build(self, job: RunJob) -> Any:
        return await self.graph(job.graph)

    def _wake(self, job: RunJob) -> None:
        for worker in self.workers:
            worker.wake(job.thread_id)


def graph_of(*nodes: Callable[..., Any]) -> Callable[[], Any]:
    """Chain node functions into a graph over messages."""

    def build() -> Any:
        builder = StateGraph(MessagesState)
        names = [node.__name__ for node in nodes]
        for name, node in zip(names, nodes, strict=True):
            builder.add_node(name, node)
        for before, after in zip([START, *names], [*names, END], strict=True):
            builder.add_edge(before, after)
        return builder.compile()

    return build


@contextmanager
def open_database(storage: StorageSettings) -> Iterator[Database]:
    """A fresh database with every table."""
    database = Database(storage)
    try:
        prepare(database, storage)
        yield database
    finally:
        database.close()


@asynccontextmanager
async def open_studio(
    database: Database, settings: Settings, graphs: dict[str, Callable[[], Any]], **more: Any
) -> AsyncIterator[Studio]:
    studio = Studio(database, settings, graphs, **more)
    try:
        yield studio
    finally:
        for worker in studio.workers:
            await worker.aclose()
