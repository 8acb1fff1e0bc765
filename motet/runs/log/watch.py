"""One watcher a process for all readers of the log: who waits for a run's next event is woken when it is there.

What does not live here: reading events (`sql`), and how a database says that it changed (`storage.changes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.errors import MotetError
from motet.storage import changes
from motet.storage.tables import runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.engine import Connection

    from motet.events import Recorded
    from motet.storage.engine import Database

logger = logging.getLogger(__name__)

CHANNEL = "motet_events"
"""Where PostgreSQL tells of new events: the JSON of `[tenant_id, run_id, last_seq]`."""

FRESH_MAX = 100
"""So many of a run's newest events are kept for its readers in this process; one that is slower reads the database."""

GRACE_S = 0.02
"""A reader's first read is its own; where its run's worker is in this process, that has told of it by then."""

_Key = tuple[str, str]
"""A run: its tenant's id and its own."""


def announce(connection: Connection, tenant_id: str, run_id: str, last_seq: int) -> None:
    """Tell the watchers of all processes, with this transaction's commit, how far a run's log goes."""
    changes.tell(connection, CHANNEL, json.dumps([tenant_id, run_id, last_seq]))


def _followed(keys: Sequence[_Key], dialect: str) -> sa.Select[str, str, int]:
    """Return how far runs' logs go; those of these ids, whoever's: `tell` passes over what nobody reads."""
    tenants, ids = sorted({tenant_id for tenant_id, _ in keys}), [run_id for _, run_id in keys]
    # A place in the statement for each of a thousand ids costs ten times what the answer does.
    asked = sa.select(sa.func.json_each(json.dumps(ids)).table_valued("value").c.value)
    mine = runs.c.run_id.in_(asked if dialect == "sqlite" else ids)
    return sa.select(runs.c.tenant_id, runs.c.run_id, runs.c.last_seq).where(
        runs.c.tenant_id.in_(tenants), mine
    )


class Watcher:
    """Wakes readers. It works while there are any, and costs nothing else."""

    def __init__(self, database: Database, poll_s: float) -> None:
        self._database = database
        self._poll_s = poll_s
        self._readers: dict[_Key, set[asyncio.Event]] = {}
        self._seen: dict[_Key, int] = {}
        self._fresh: dict[_Key, deque[Recorded]] = {}
        self._kept_at: dict[_Key, float] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def reader(self, tenant_id: str, run_id: str) -> AsyncIterator[asyncio.Event]:
        """Have an event set whenever a run has something new. Clear it, read, then wait for it."""
        key, woken = (tenant_id, run_id), asyncio.Event()
        self._readers.setdefault(key, set()).add(woken)
        self._kept_at.setdefault(key, time.monotonic() - changes.SURE_S + GRACE_S)
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="motet-log-watch")
        try:
            yield woken
        finally:
            self._readers[key].discard(woken)
            if not self._readers[key]:
                for of_readers in (self._readers, self._seen, self._fresh, self._kept_at):
                    of_readers.pop(key, None)
            if not self._readers:
                await self._stop()

    def tell(self, tenant_id: str, run_id: str, last_seq: int) -> None:
        """Say that a run's events up to a number are on disk."""
        key = (tenant_id, run_id)
        if key in self._readers and last_seq > self._seen.get(key, 0):
            self._seen[key] = last_seq
            for woken in self._readers[key]:
                woken.set()

    def saw(self, tenant_id: str, run_id: str, last_seq: int, woken: asyncio.Event) -> None:
        """Say that the reader of this event has read that far: it is not woken for that, and the others are."""
        key = (tenant_id, run_id)
        if last_seq > self._seen.get(key, 0):
            self._seen[key] = last_seq
            for other in self._readers[key] - {woken}:
                other.set()

    def keep(self, tenant_id: str, run_id: str, recorded: Sequence[Recorded]) -> None:
        """Say that this process put events of a run on disk; its readers here need not read them from there."""
        key = (tenant_id, run_id)
        if key in self._readers:
            kept = self._fresh.setdefault(key, deque(maxlen=FRESH_MAX))
            if kept and recorded[0].seq != kept[-1].seq + 1:
                kept.clear()  # another process had the run meanwhile
            kept.extend(recorded)
            self._kept_at[key] = time.monotonic()
            self.tell(tenant_id, run_id, recorded[-1].seq)

    def fresh(self, tenant_id: str, run_id: str, after: int, limit: int) -> list[Recorded]:
        """Return the kept events that come right after a number, at most so many; [] when those are not kept."""
        kept = self._fresh.get((tenant_id, run_id))
        if not kept or kept[0].seq > after + 1:
            return []
        return list(itertools.islice((one for one in kept if one.seq > after), limit))

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await self._some_are_foreign()
            heard = changes.changes(self._database, CHANNEL, poll_s=self._poll_s)
            try:
                async with contextlib.aclosing(heard):
                    async for words in heard:
                        await self._look(words)
            except Exception as error:  # noqa: BLE001  # the watcher's edge: readers wait for it
                said = error.message if isinstance(error, MotetError) else repr(error)
                logger.warning("cannot look for new events: %s", said)
            self._wake_all()  # what is wrong with the database their own reads say
            await asyncio.sleep(changes.SURE_S)

    async def _look(self, words: str | None) -> None:
        if words is not None:
            self.tell(*json.loads(words))
            return
        foreign = self._foreign()
        if len(foreign) <= 1:  # to read is as quick as to look whether there is something to read
            for woken in itertools.chain.from_iterable(self._readers[key] for key in foreign):
                woken.set()
            return
        query = _followed(foreign, self._database.dialect)
        for tenant_id, run_id, last_seq in await self._database.peek(lambda c: c.execute(query).all()):
            self.tell(tenant_id, run_id, last_seq)

    async def _some_are_foreign(self) -> None:
        """Wait until the database must be listened to: most runs that are read here are at work here."""
        while True:
            if self._foreign():
                return
            await asyncio.sleep(changes.LOOK_S)

    def _foreign(self) -> list[_Key]:
        """Return the runs that `keep` does not tell of: they are at work elsewhere, or perhaps taken over from here."""
        own_since = time.monotonic() - changes.SURE_S
        return [key for key in self._readers if self._kept_at[key] < own_since]

    def _wake_all(self) -> None:
        for woken in itertools.chain.from_iterable(self._readers.values()):
            woken.set()
