"""What outlives a thread: LangGraph's store on Motet's own database.

What does not live here: what agents remember (`recall`), the items' rows (`store_rows`), how items are found by
meaning (`store_texts`), filters (`store_filter`). Values are JSON objects; a namespace is a tuple of labels.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import ensure_config
from langgraph.store.base import BaseStore, PutOp, Result, SearchOp, TTLConfig

from motet.memory.saver.pace import Pace
from motet.memory.store_rows import Put, Reading, StoreRows, check, last_puts
from motet.memory.store_texts import EMBED_AT_ONCE, StoreTexts, Text
from motet.secret import Secret
from motet.settings import StorageSettings
from motet.storage.engine import Database
from motet.storage.fence import held
from motet.storage.schema import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Self

    from langchain_core.runnables import RunnableConfig
    from langgraph.store.base import Op
    from numpy.typing import NDArray

    from motet.memory.store_texts import Embeds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of an operation: on a reading or the writing connection, or on a thread where there is none."""

    kind: str
    work: Callable[..., Any]


class MotetStore(BaseStore):
    """A `BaseStore` of one tenant: namespaces, filters, expiry, search by meaning where there is an embedder.

    As in LangGraph's own stores, a batch reads before it writes, and of two writes to one key the last counts. A
    search with a query ranks by shared words, in Chinese and English, while there is no embedder or no vector.
    Vectors of another model are never compared: their texts are embedded anew, some at each search, all by
    `reembed`. What has expired is never returned, and is deleted by the next write or by `sweep_ttl`.
    """

    supports_ttl = True

    def __init__(
        self,
        database: Database,
        *,
        tenant_id: str = "local",
        embedder: Embeds | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        self._database = database
        self._texts = StoreTexts(tenant_id, embedder)
        self._rows = StoreRows(tenant_id, self._texts, ttl)
        self.ttl_config = ttl
        self._pace = Pace()

    @classmethod
    @contextmanager
    def from_url(
        cls,
        url: str,
        *,
        embedder: Embeds | None = None,
        ttl: TTLConfig | None = None,
        encryption_key: str = "",
    ) -> Generator[Self]:
        """Open a database, make it ready, and give a store on it for the length of a `with` block.

        Args:
            url: A SQLAlchemy URL, like `sqlite:///agents.db`.
            embedder: What turns texts into vectors; without one a search ranks by shared words.
            ttl: See LangGraph's `TTLConfig`.
            encryption_key: Key that encrypts the values; nothing is encrypted unless given. Several, oldest first,
                are separated by commas. Vectors and fingerprints of texts stay readable.

        Raises:
            StorageError: The database cannot be used.
        """
        settings = StorageSettings(database_url=url, encryption_key=Secret(encryption_key))
        database = Database(settings)
        try:
            prepare(database, settings)
            yield cls(database, embedder=embedder, ttl=ttl)
        finally:
            database.close()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations from code that is not asynchronous. Never call it on an event loop's thread."""
        return self._run(self._batch(list(ops), ensure_config()))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations; the results are in their order, None for a write.

        Raises:
            InvalidInput: A value is not JSON, a filter has an unknown operator, or a name holds what it may not.
            InvalidNamespaceError: A label is blank or holds a dot.
            LeaseLost: The run whose graph writes is another worker's by now.
        """
        return await self._arun(self._batch(list(ops), ensure_config()))

    def reembed(self) -> int:
        """Embed every text that another model embedded, or none; return how many there were."""
        return self._run(self._embed_all())

    async def areembed(self) -> int:
        """Do `reembed` without blocking the event loop."""
        return await self._arun(self._embed_all())

    def sweep_ttl(self) -> int:
        """Delete what has expired; return how many items that were."""
        return self._database.write_sync(self._rows.sweep)

    async def asweep_ttl(self) -> int:
        """Do `sweep_ttl` without blocking the event loop."""
        return await self._database.write(self._rows.sweep)

    # The steps of a batch, once for both kinds of callers

    def _run(self, steps: Generator[_Step, Any, Any]) -> Any:
        do = {"read": self._database.read_sync, "write": self._database.write_sync}
        value: Any = None
        try:
            while True:
                step = steps.send(value)
                value = do[step.kind](step.work) if step.kind in do else step.work()
        except StopIteration as end:
            return end.value

    async def _arun(self, steps: Generator[_Step, Any, Any]) -> Any:
        read = partial(self._pace.look, self._database)
        do = {"read": read, "write": self._database.write, "compute": asyncio.to_thread}
        value: Any = None
        try:
            while True:
                step = steps.send(value)
                value = await do[step.kind](step.work)
        except StopIteration as end:
            return end.value

    def _batch(self, ops: Sequence[Op], config: RunnableConfig) -> Generator[_Step, Any, list[Result]]:
        """Do a batch; what a node of a run writes holds that run's fence, which is in the node's config."""
        for op in ops:
            check(op)
        puts = last_puts(ops)
        vectors = yield from self._vectors_of(puts)
        reading = Reading((yield from self._query_vectors(ops)))
        results: list[Result] = []
        if any(not isinstance(op, PutOp) for op in ops):
            results = yield _Step("read", lambda c: [self._rows.read(c, op, reading) for op in ops])
        if puts or reading.refreshed:
            yield _Step(
                "write", lambda c: self._rows.write(held(c, config), puts, vectors, reading.refreshed)
            )
        return results or [None] * len(ops)

    def _vectors_of(self, puts: Sequence[Put]) -> Generator[_Step, Any, dict[bytes, bytes]]:
        texts = [text for put in puts for text in put.texts]
        if not texts or self._texts.embedder is None:
            return {}
        known = yield _Step("read", lambda c: self._texts.known(c, texts))
        return (yield _Step("compute", lambda: self._texts.embed(texts, known)))

    def _query_vectors(self, ops: Sequence[Op]) -> Generator[_Step, Any, dict[str, NDArray[Any]]]:
        queries = list(dict.fromkeys(op.query for op in ops if isinstance(op, SearchOp) and op.query))
        embedder = self._texts.embedder
        if not queries or embedder is None:
            return {}
        outdated = yield _Step("read", lambda c: self._texts.outdated(c, limit=EMBED_AT_ONCE))
        if not outdated.has_vectors:
            return {}  # nothing could be near: the model need not even be loaded
        if outdated.rows:
            yield from self._embed_rows(outdated.rows)
        if outdated.more:
            logger.warning("more than %d texts wait to be embedded: call reembed()", EMBED_AT_ONCE)
        rows = yield _Step("compute", lambda: embedder.embed_queries(queries))
        return dict(zip(queries, rows, strict=True))

    def _embed_all(self) -> Generator[_Step, Any, int]:
        done = 0
        while True:
            outdated = yield _Step("read", lambda c: self._texts.outdated(c, limit=EMBED_AT_ONCE))
            if not outdated.rows:
                return done
            yield from self._embed_rows(outdated.rows)
            done += len(outdated.rows)

    def _embed_rows(self, rows: Sequence[tuple[int, Text]]) -> Generator[_Step, Any, None]:
        texts = [text for _, text in rows]
        vectors = yield _Step("compute", lambda: self._texts.embed(texts, {}))
        yield _Step("write", lambda c: self._texts.renew(c, rows, vectors))
