"""LangGraph's checkpoint saver on Motet's database: a turn costs the same however long the thread is.

What does not live here: how a checkpoint is taken apart, put together and cleaned up (`memory.saver`). Every public
method is there twice, async and sync, since LangGraph calls both; the work behind the two is one function of a
connection.
"""

from __future__ import annotations

import copy
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    empty_checkpoint,
    get_serializable_checkpoint_metadata,
)

from motet.errors import InvalidInput
from motet.memory.classes import can_register
from motet.memory.saver.cache import Memory
from motet.memory.saver.drafts import Draft, NeedsConnection, Put, Writes, is_cancelled, numbered
from motet.memory.saver.handed import handed_in
from motet.memory.saver.history import History
from motet.memory.saver.listing import Query, read_page
from motet.memory.saver.loading import Loader
from motet.memory.saver.pace import Pace
from motet.memory.saver.rows import ScopeName, Statements, Vault, one_moment
from motet.memory.saver.saving import Writer
from motet.memory.saver.together import Together
from motet.memory.saver.tuples import config_of, tuple_of
from motet.memory.serde import StrictSerializer
from motet.secret import Secret
from motet.settings import StorageSettings
from motet.storage.along import carry_of
from motet.storage.engine import Database
from motet.storage.fence import fence_of, guarded, held
from motet.storage.probe import database_file
from motet.storage.schema import prepare
from motet.storage.seal import Seal, derive_keys, read_key_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable, Iterator, Sequence
    from typing import Self

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
    from sqlalchemy.engine import Connection

    from motet.memory.saver.cache import Head
    from motet.storage.fence import Fence

PAGE_ROWS = 64
"""Checkpoints that `list` looks at in one read."""


class MotetSaver(BaseCheckpointSaver[int]):
    """Saves the checkpoints of any LangGraph graph in a Motet database.

    Checkpoints are ordered by a counter of the saver's own, so a clock that is behind loses nothing. Versions of
    channels are plain integers. `list` gives the newest first within a namespace; over several namespaces or
    threads, one after the other.
    """

    def __init__(
        self,
        database: Database,
        seal: Seal,
        *,
        tenant_id: str = "local",
        types: Iterable[type] = (),
        cache_items: int = 50_000,
    ) -> None:
        """Wire a saver; nothing is read or written yet.

        Args:
            database: A database that `motet.storage.schema.prepare` has made ready. The caller closes it.
            seal: Seals what is stored; see `motet.storage.seal.load_seal`.
            tenant_id: Whose threads these are; no other tenant's are seen.
            types: Classes of values in the state that are not known by themselves: pydantic models, dataclasses,
                named tuples, enums.
            cache_items: List items, of all threads together, that are kept in memory.
        """
        super().__init__(serde=StrictSerializer(types))
        self.database = database
        self.tenant_id = tenant_id
        self._seal = seal.with_cipher(database.texts.cipher)
        self._memory = Memory(max_items=cache_items)
        self._statements = Statements(database.dialect)
        self._together = Together(database)
        self._pace, self._loads = Pace(), Pace()
        self._wire()

    @classmethod
    @contextmanager
    def from_url(
        cls, url: str, *, secret_key: str = "", encryption_key: str = "", types: Iterable[type] = ()
    ) -> Generator[Self]:
        """Open a database, make it ready, and give a saver on it for the length of a `with` block.

        Args:
            url: A SQLAlchemy URL, like `sqlite:///agents.db`.
            secret_key: Key that seals the state; for a SQLite file it may be left out, and a key file is kept
                beside the database (`agents.db.keys`).
            encryption_key: Key that encrypts the state; nothing is encrypted unless given. Several, oldest first,
                are separated by commas.
            types: See `MotetSaver`.

        Raises:
            InvalidInput: The key is missing, or the database is in memory only.
            StorageError: The database cannot be used.
        """
        file = database_file(url)
        if secret_key:
            seal = Seal(derive_keys(secret_key))
        elif file is not None:
            seal = Seal(read_key_file(file.with_name(f"{file.name}.keys")))
        else:
            raise InvalidInput(
                f"A saver on '{url}' needs secret_key=… : only beside a SQLite file a key file is kept. For a "
                "saver in memory, use LangGraph's InMemorySaver."
            )
        settings = StorageSettings(
            database_url=url, secret_key=Secret(secret_key), encryption_key=Secret(encryption_key)
        )
        database = Database(settings)
        try:
            prepare(database, settings)
            yield cls(database, seal, types=types)
        finally:
            database.close()

    def with_types(self, types: Iterable[type]) -> Self:
        """Return a saver that knows these classes too, on the same database and memory."""
        clone = copy.copy(self)
        clone.serde = cast("StrictSerializer", self.serde).with_types(types)
        clone._wire()  # noqa: SLF001  # its own kind
        return clone

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Self:
        """Do `with_types` for LangGraph, which names the classes of a graph's schema as `(module, name)`."""
        named = (getattr(sys.modules.get(entry[0]), entry[1], None) for entry in extra_allowlist)
        return self.with_types([cls for cls in named if isinstance(cls, type) and can_register(cls)])

    def get_next_version(self, current: int | None, channel: None) -> int:  # noqa: ARG002  # the base class's
        """Return the number after `current`; a version that another saver made as text counts by its number."""
        if isinstance(current, str):
            return int(current.split(".")[0]) + 1
        return int(current) + 1 if current else 1

    # Reading

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that the config names, or its thread's newest; None when there is none.

        Raises:
            StateCorrupt: A stored value is missing, or its seal is broken.
        """
        if (handed := handed_in(config)) is not None:
            return handed[0]
        return await self._loads.look(self.database, lambda c: self._load(config, one_moment(c)))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Do `aget_tuple` on the calling thread."""
        return self._read_sync(partial(self._load, config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # the base class's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield checkpoints, newest first.

        Args:
            config: Its thread, namespace and checkpoint narrow the list, each if given; None lists every thread.
            filter: Values that the metadata must have.
            before: Only checkpoints that were stored before this one; none if that one is not there.
            limit: At most this many.
        """
        query, left, cursor = self._query(config, filter, before), limit, None
        while left is None or left > 0:
            page = await self._read(self._page_reader(query, cursor, left))
            for loaded in page.found:
                yield tuple_of(loaded)
            cursor, left = page.cursor, None if left is None else left - len(page.found)
            if cursor is None:
                return

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # the base class's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Do `alist` on the calling thread."""
        query, left, cursor = self._query(config, filter, before), limit, None
        while left is None or left > 0:
            page = self._read_sync(self._page_reader(query, cursor, left))
            yield from map(tuple_of, page.found)
            cursor, left = page.cursor, None if left is None else left - len(page.found)
            if cursor is None:
                return

    # Writing

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; it is the thread's newest when this returns, and on disk.

        Raises:
            InvalidInput: The state holds a value of an unknown class.
            StorageError: The database cannot be written.
        """
        put = self._put(config, checkpoint, metadata, new_versions)
        try:
            draft = await self._pace.do(lambda: self._draft(None, put))
        except NeedsConnection:
            draft = await self._read(lambda connection: self._draft(connection, put))
        place = put.scope, fence_of(config)
        work = partial(self._commit, config, draft)
        done = await self._together.now(place, work, carry_of(config))
        self._writer.remember(done)
        return config_of(put.scope, checkpoint["id"])

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Do `aput` on the calling thread."""
        put = self._put(config, checkpoint, metadata, new_versions)
        try:
            draft = self._draft(None, put)
        except NeedsConnection:
            draft = self._read_sync(lambda connection: self._draft(connection, put))
        self._writer.remember(self.database.write_sync(partial(self._commit, config, draft)))
        return config_of(put.scope, checkpoint["id"])

    def prepare_first(self, thread_id: str, values: dict[str, Any]) -> Callable[[Connection], None]:
        """Serialize the first checkpoint of a thread; what is returned stores it, in a transaction of the caller's.

        Args:
            thread_id: A thread without checkpoints.
            values: Its channels.
        """
        checkpoint, versions = empty_checkpoint(), cast("ChannelVersions", dict.fromkeys(values, 1))
        checkpoint["channel_values"], checkpoint["channel_versions"] = values, versions
        config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        metadata: CheckpointMetadata = {"source": "update", "step": 0, "parents": {}}
        draft = self._draft(None, self._put(config, checkpoint, metadata, versions))

        def store(connection: Connection) -> None:
            self._writer.commit(connection, draft)

        return store

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote, with its superstep's checkpoint or a moment later; a repeated call changes nothing.

        Raises:
            InvalidInput: A value is of an unknown class.
        """
        work = self._writes(config, writes, task_id, task_path)
        # An error, a question: no checkpoint follows.
        if any(channel in WRITES_IDX_MAP for channel, _ in writes):
            await self.database.write(work)
        else:
            await self._together.soon((self._named(config)[0], fence_of(config)), work)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Do `aput_writes` on the calling thread."""
        self.database.write_sync(self._writes(config, writes, task_id, task_path))

    # Upkeep

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete everything of a thread; an unknown one is passed over."""
        await self.database.write(lambda connection: self.upkeep.delete_thread(connection, str(thread_id)))

    def delete_thread(self, thread_id: str) -> None:
        """Do `adelete_thread` on the calling thread."""
        self.database.write_sync(lambda c: self.upkeep.delete_thread(c, str(thread_id)))

    async def adelete_for_runs(self, run_ids: Sequence[str], *, fence: Fence | None = None) -> None:
        """Delete the checkpoints whose metadata has one of these `run_id`s; the others stay whole.

        Raises:
            LeaseLost: The run of the `fence` is another claim's by now; nothing was deleted.
        """
        await self.database.write(lambda c: self.upkeep.delete_for_runs(guarded(c, fence), run_ids))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Do `adelete_for_runs` on the calling thread."""
        self.database.write_sync(lambda connection: self.upkeep.delete_for_runs(connection, run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread's whole history to a thread without one.

        Raises:
            Conflict: The target has checkpoints.
        """
        await self.database.write(lambda c: self.upkeep.copy_thread(c, source_thread_id, target_thread_id))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Do `acopy_thread` on the calling thread."""
        self.database.write_sync(lambda c: self.upkeep.copy_thread(c, source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace (`keep_latest`), or nothing (`delete`).

        Raises:
            InvalidInput: The strategy is another one.
        """
        await self.database.write(lambda connection: self.upkeep.prune(connection, thread_ids, strategy))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Do `aprune` on the calling thread."""
        self.database.write_sync(lambda connection: self.upkeep.prune(connection, thread_ids, strategy))

    def _wire(self) -> None:
        vault, serde = Vault(self._seal), cast("StrictSerializer", self.serde)
        self._loader = Loader(vault, serde, self._memory, self.tenant_id)
        self._writer = Writer(vault, serde, self._memory, self._loader, self._statements)
        self.upkeep = History(vault, self._loader, self._statements, self.tenant_id)

    async def _read(self, work: Callable[[Connection], Any]) -> Any:
        return await self.database.read(lambda connection: work(one_moment(connection)))

    def _read_sync(self, work: Callable[[Connection], Any]) -> Any:
        return self.database.read_sync(lambda connection: work(one_moment(connection)))

    def _load(self, config: RunnableConfig, connection: Connection) -> CheckpointTuple | None:
        scope, checkpoint_id = self._named(config)
        row = self._loader.find_row(connection, scope, checkpoint_id)
        return None if row is None else tuple_of(self._loader.load(connection, row))

    def _query(
        self, config: RunnableConfig | None, metadata: dict[str, Any] | None, before: RunnableConfig | None
    ) -> Query:
        named: dict[str, Any] = (config or {}).get("configurable") or {}
        thread_id = named.get("thread_id")
        return Query(
            self.tenant_id,
            None if thread_id is None else str(thread_id),
            named.get("checkpoint_ns"),
            named.get("checkpoint_id"),
            None if before is None else self._named(before)[1],
            metadata,
        )

    def _page_reader(
        self, query: Query, cursor: tuple[int, int] | None, left: int | None
    ) -> Callable[[Connection], Any]:
        size = PAGE_ROWS if query.metadata or left is None else min(PAGE_ROWS, left)
        return lambda connection: read_page(
            connection, self._loader, query, cursor=cursor, size=size, limit=left
        )

    def _named(self, config: RunnableConfig) -> tuple[ScopeName, str | None]:
        named: dict[str, Any] = config.get("configurable") or {}
        thread_id = named.get("thread_id")
        if thread_id is None or thread_id == "":
            raise InvalidInput("The config names no thread: give {'configurable': {'thread_id': …}}.")
        scope = ScopeName(self.tenant_id, str(thread_id), named.get("checkpoint_ns") or "")
        return scope, named.get("checkpoint_id") or None

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Put:
        scope, parent_id = self._named(config)
        known = get_serializable_checkpoint_metadata(config, metadata)
        return Put(scope, parent_id, checkpoint, cast("dict[str, Any]", known), new_versions)

    def _draft(self, connection: Connection | None, put: Put) -> Draft:
        """Prepare a put, from memory alone if it can be.

        Raises:
            NeedsConnection: Something must be read, and there is no connection.
        """
        head: Head | None = None
        if put.parent_id is not None and connection is None:
            head = self._memory.heads.get((put.scope, put.parent_id))
            if head is None:
                raise NeedsConnection
        elif put.parent_id is not None and connection is not None:
            # Not from memory: what is there may have been pruned by another process.
            head = self._loader.find_head(connection, put.scope, put.parent_id)
        return self._writer.prepare(connection, put, head, last_log=head.last_log if head else 0)

    def _commit(self, config: RunnableConfig, draft: Draft, connection: Connection) -> Any:
        return self._writer.commit(held(connection, config), draft)

    def _writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> Callable[[Connection], None]:
        """Serialize a task's writes and return the transaction's work."""
        scope, checkpoint_id = self._named(config)
        if checkpoint_id is None:
            raise InvalidInput("The config names no checkpoint that the writes are of: give checkpoint_id.")
        if is_cancelled(writes):
            return lambda _: None
        all_writes = Writes(scope, checkpoint_id, task_id, task_path, numbered(writes))
        sealed = self._writer.seal_writes(all_writes)
        return lambda c: self._writer.commit_writes(held(c, config), all_writes, sealed)
