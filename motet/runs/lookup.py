"""Finds threads and runs by what they are: metadata, status, ids. Light: no graph, no model is imported here.

What does not live here: what doors of words ask for (`records`): names, titles, transcripts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from motet.errors import StateCorrupt
from motet.runs.records import ACTIVE, record_of
from motet.runs.request import RunJob, RunStatus
from motet.storage.contains import contains
from motet.storage.tables import runs, threads
from motet.storage.terms import candidates
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.runs.request import RunRecord
    from motet.storage.engine import Database
    from motet.storage.texts import Texts

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]

ThreadSort = Literal["thread_id", "status", "created_at", "updated_at"]

_STATUS: dict[ThreadStatus, tuple[RunStatus, ...]] = {
    "interrupted": ("interrupted", "cancelled"),
    "error": ("error",),
}


@dataclass(frozen=True, slots=True)
class FoundThread:
    """A thread, and how its newest run stands."""

    thread_id: str
    owner_id: str
    graph: str
    """Of its newest run; "" before the first."""
    metadata: dict[str, Any]
    created_at: float
    updated_at: float
    status: ThreadStatus
    newest: RunStatus | None
    error: dict[str, Any] | None
    """Of its newest run."""


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run, with what it was asked."""

    record: RunRecord
    job: RunJob
    undone: bool
    """Whether what it did to its thread was taken back, or is to be."""


class Lookup:
    """The threads and runs of one tenant; with `owner_id`, of one of its owners."""

    def __init__(self, database: Database, tenant_id: str, *, owner_id: str | None = None) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._owner_id = owner_id

    async def thread(self, thread_id: str) -> FoundThread | None:
        """Return one thread by its whole id; None when there is none, or it is another's."""
        found = await self.threads(thread_ids=[thread_id], limit=1)
        return found[0] if found else None

    async def threads(
        self,
        *,
        thread_ids: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        status: ThreadStatus | None = None,
        sort_by: ThreadSort = "created_at",
        ascending: bool = False,
        limit: int = 10,
        offset: int = 0,
    ) -> list[FoundThread]:
        """Return threads that are all of what is given; length 0..limit."""

        def work(connection: Connection) -> list[FoundThread]:
            query = self._query(connection, thread_ids, metadata, status)
            kept = query.subquery()
            by = kept.c[sort_by if sort_by != "status" else "newest_status"]
            ordered = sa.select(kept).order_by(by.asc() if ascending else by.desc(), kept.c.thread_id)
            rows = connection.execute(ordered.limit(limit).offset(offset))
            return [_thread(row, texts_of(connection)) for row in rows]

        return await self._database.read(work)

    async def count_threads(
        self, *, metadata: Mapping[str, Any] | None = None, status: ThreadStatus | None = None
    ) -> int:
        """Return how many threads `threads` would find."""

        def work(connection: Connection) -> int:
            found = self._query(connection, None, metadata, status).subquery()
            return connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()

        return await self._database.read(work)

    async def run(self, run_id: str) -> FoundRun | None:
        """Return one run by its whole id; None when there is none, or it is another's."""
        query = sa.select(runs).where(self._mine(runs), runs.c.run_id == run_id)

        def work(connection: Connection) -> FoundRun | None:
            row = connection.execute(query).first()
            return _run(row, texts_of(connection)) if row is not None else None

        return await self._database.read(work)

    async def runs(
        self,
        *,
        thread_id: str | None = None,
        run_ids: Sequence[str] | None = None,
        statuses: Sequence[RunStatus] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[FoundRun]:
        """Return runs, the newest first; length 0..limit. One whose job cannot be read is passed over."""
        query = sa.select(runs).where(self._mine(runs))
        if thread_id is not None:
            query = query.where(runs.c.thread_id == thread_id)
        if run_ids is not None:
            query = query.where(runs.c.run_id.in_(run_ids))
        if statuses is not None:
            query = query.where(runs.c.status.in_(statuses))
        query = query.order_by(runs.c.position.desc()).limit(limit).offset(offset)

        def work(connection: Connection) -> list[FoundRun]:
            texts = texts_of(connection)
            found = [_run(row, texts) for row in connection.execute(query)]
            return [one for one in found if one is not None]

        return await self._database.read(work)

    def _mine(self, table: sa.Table) -> sa.ColumnElement[bool]:
        mine = table.c.tenant_id == self._tenant_id
        return mine if self._owner_id is None else sa.and_(mine, table.c.owner_id == self._owner_id)

    def _query(
        self,
        connection: Connection,
        thread_ids: Sequence[str] | None,
        metadata: Mapping[str, Any] | None,
        status: ThreadStatus | None,
    ) -> sa.Select[Any, Any]:
        of_thread = sa.and_(runs.c.tenant_id == threads.c.tenant_id, runs.c.thread_id == threads.c.thread_id)
        active = sa.exists().where(of_thread, runs.c.status.in_(ACTIVE))
        last = sa.select(runs.c.position).where(of_thread).order_by(runs.c.position.desc()).limit(1)
        newest = runs.alias()
        query = (
            sa.select(
                threads,
                active.label("active"),
                newest.c.status.label("newest_status"),
                newest.c.error.label("newest_error"),
                newest.c.run_id.label("newest_run_id"),
            )
            .select_from(threads)
            .outerjoin(newest, newest.c.position == last.scalar_subquery())
            .where(self._mine(threads))
        )
        if thread_ids is not None:
            query = query.where(threads.c.thread_id.in_(thread_ids))
        if metadata:
            named = candidates(connection, self._tenant_id, metadata)
            if named is not None:
                query = query.where(threads.c.thread_id.in_(named))
            query = query.where(contains(threads.c.metadata, metadata, connection.dialect.name))
        if status == "busy":
            query = query.where(active)
        elif status == "idle":
            others = [one for group in _STATUS.values() for one in group]
            quiet = sa.or_(newest.c.status.is_(None), newest.c.status.not_in(others))
            query = query.where(~active, quiet)
        elif status is not None:
            query = query.where(~active, newest.c.status.in_(_STATUS[status]))
        return query


def _after(newest: RunStatus | None) -> ThreadStatus:
    """Return how a thread stands whose newest run ended so."""
    for status, ends in _STATUS.items():
        if newest in ends:
            return status
    return "idle"


def _thread(row: Row[Any], texts: Texts) -> FoundThread:
    error = row.newest_error
    if error is not None:
        error = json.loads(texts.open(error, row.tenant_id, "runs", row.newest_run_id, "error"))
    return FoundThread(
        thread_id=row.thread_id,
        owner_id=row.owner_id,
        graph=row.graph,
        metadata=json.loads(row.metadata),
        created_at=row.created_at,
        updated_at=row.updated_at,
        status="busy" if row.active else _after(row.newest_status),
        newest=row.newest_status,
        error=error,
    )


def _run(row: Row[Any], texts: Texts) -> FoundRun | None:
    try:
        job = RunJob.model_validate_json(texts.open(row.job, row.tenant_id, "runs", row.run_id, "job"))
    except (StateCorrupt, ValueError):
        return None
    return FoundRun(record_of(row, texts), job, bool(row.undo))
