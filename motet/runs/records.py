"""Threads, runs and transcripts as they stand on disk. Light: no graph, no model is imported here.

What does not live here: making runs (`submit`) and the event log (`log`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import NotFound
from motet.memory import transcript
from motet.runs.answers import questions_of
from motet.runs.glance import facts_of
from motet.runs.request import MessageRecord, RunJob, RunOptions, RunRecord, ThreadRecord
from motet.storage.clock import db_now
from motet.storage.ready import Ready
from motet.storage.tables import messages, runs, thread_tags, threads
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.events import InterruptRequested
    from motet.storage.engine import Database
    from motet.storage.texts import Texts

ACTIVE = ("pending", "running")
"""Statuses of runs that have not ended."""


class Records:
    """What one tenant has on disk; with `owner_id`, what one of its owners has."""

    def __init__(self, database: Database, tenant_id: str, *, owner_id: str | None = None) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._owner_id = owner_id

    def _mine(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Return what threads or runs have to be to be shown: the tenant's, and the owner's where there is one."""
        mine = table.c.tenant_id == self._tenant_id
        return mine if self._owner_id is None else sa.and_(mine, table.c.owner_id == self._owner_id)

    async def threads(
        self, *, limit: int = 50, offset: int = 0, tags: Sequence[str] = ()
    ) -> list[ThreadRecord]:
        """Return threads, those with all of some tags where tags are given, the one used last first.

        Length 0..limit.
        """
        where = transcript.has_tags(threads, tags) if tags else None
        return await self._database.read(lambda c: self._threads(c, limit=limit, offset=offset, where=where))

    async def thread_by_id(self, thread_id: str) -> ThreadRecord | None:
        """Return one thread by its whole id; None when there is none, or it is another's."""
        found = await self._database.peek(lambda c: self._threads(c, where=threads.c.thread_id == thread_id))
        return found[0] if found else None

    async def run_by_id(self, run_id: str) -> RunRecord | None:
        """Return one run by its whole id; None when there is none, or it is another's."""
        query = sa.select(runs).where(self._mine(runs), runs.c.run_id == run_id)
        row = await self._database.peek(lambda c: c.execute(query).first())
        return record_of(row, self._database.texts) if row is not None else None

    async def last_thread(self) -> ThreadRecord | None:
        """Return the thread that was used last, or None when there is none."""
        found = await self.threads(limit=1)
        return found[0] if found else None

    async def thread(self, name: str) -> ThreadRecord:
        """Find a thread by its id, the first characters of its id, or its title.

        Raises:
            NotFound: None has it, or more than one begins with it.
        """
        return await self._database.read(lambda c: self.find_thread(c, name))

    async def messages(self, thread_id: str, *, limit: int = 200) -> list[MessageRecord]:
        """Return the newest `limit` messages of a thread's transcript, oldest first."""
        rows = await self._database.read(
            lambda c: transcript.read(c, self._tenant_id, thread_id, limit=limit)
        )
        return [message_of(row) for row in rows]

    async def message(self, thread_id: str, message_id: str) -> MessageRecord | None:
        """Return one message of a thread's transcript; None when it is not there (any more)."""
        query = sa.select(messages).where(
            messages.c.tenant_id == self._tenant_id,
            messages.c.thread_id == thread_id,
            messages.c.message_id == message_id,
        )
        row = await self._database.read(lambda c: c.execute(query).first())
        return message_of(row) if row is not None else None

    async def search(
        self, query: str, *, limit: int = 20, tags: Sequence[str] = ()
    ) -> list[tuple[ThreadRecord, MessageRecord]]:
        """Search every transcript, best first, in Chinese and English; blank text gives [].

        With tags, those of threads that have all of them.
        """

        def work(connection: Connection) -> list[tuple[ThreadRecord, MessageRecord]]:
            found = transcript.search(connection, self._tenant_id, query, limit=limit, tags=tags)
            owners = {row.thread_id for row in found}
            by_id = {t.thread_id: t for t in self._threads(connection, thread_ids=owners)} if owners else {}
            return [(by_id[row.thread_id], message_of(row)) for row in found if row.thread_id in by_id]

        return await self._database.read(work)

    async def runs(self, thread_id: str | None = None, *, limit: int = 50) -> list[RunRecord]:
        """Return runs, the newest first; length 0..limit."""
        query = sa.select(runs).where(self._mine(runs))
        if thread_id is not None:
            query = query.where(runs.c.thread_id == thread_id)
        query = query.order_by(runs.c.position.desc()).limit(limit)
        return await self._database.read(lambda c: [record_of(row, texts_of(c)) for row in c.execute(query)])

    async def run(self, run_id: str) -> RunRecord:
        """Return one run, by its id or the first characters of it.

        Raises:
            NotFound: None has it, or more than one begins with it.
        """
        begins = runs.c.run_id.startswith(run_id, autoescape=True) if run_id else sa.false()
        query = sa.select(runs).where(self._mine(runs), begins).limit(2)
        found = await self._database.read(lambda c: c.execute(query).all())
        return record_of(_only(found, f"run '{run_id}'", "motet runs list"), self._database.texts)

    async def options(self, run_id: str) -> RunOptions:
        """Return what a run was granted, by its whole id.

        Raises:
            NotFound: There is no such run.
        """
        query = sa.select(runs.c.job).where(runs.c.tenant_id == self._tenant_id, runs.c.run_id == run_id)

        def work(connection: Connection) -> RunOptions:
            row = _only(connection.execute(query).all(), f"run '{run_id}'", "motet runs list")
            text = texts_of(connection).open(row.job, self._tenant_id, "runs", run_id, "job")
            return RunJob.model_validate_json(text).options

        return await self._database.read(work)

    async def job(self, run_id: str) -> RunJob:
        """Return what the gate granted a run, by its whole id.

        Raises:
            NotFound: There is no such run.
            StateCorrupt: It cannot be read.
        """
        query = sa.select(runs.c.run_id, runs.c.job).where(
            runs.c.tenant_id == self._tenant_id, runs.c.run_id == run_id
        )
        row = _only(
            await self._database.read(lambda c: c.execute(query).all()), f"run '{run_id}'", "motet runs list"
        )
        text = self._database.texts.open(row.job, self._tenant_id, "runs", run_id, "job")
        return RunJob.model_validate_json(text)

    async def questions(self, run: RunRecord) -> list[InterruptRequested]:
        """Return what a run waits for an answer to; [] when it does not wait, or its thread went on without it."""
        newest = await self.runs(run.thread_id, limit=1)
        if run.status != "interrupted" or newest[0].run_id != run.run_id:
            return []
        found = await self._database.read(lambda c: questions_of(c, self._tenant_id, run.run_id))
        return list(found.values())

    async def unfinished(self, thread_id: str) -> list[RunRecord]:
        """Return the runs of a thread that have not ended, oldest first."""
        query = (
            sa.select(runs)
            .where(
                runs.c.tenant_id == self._tenant_id,
                runs.c.thread_id == thread_id,
                runs.c.status.in_(ACTIVE),
            )
            .order_by(runs.c.position)
        )
        return await self._database.read(lambda c: [record_of(row, texts_of(c)) for row in c.execute(query)])

    async def rename_thread(self, thread_id: str, title: str) -> None:
        """Give a thread another title.

        Raises:
            NotFound: There is no such thread.
        """
        change = sa.update(threads).values(title=title.strip())
        await self._on_thread(thread_id, lambda c, one: c.execute(change.where(one)).rowcount)

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread with its runs, events and transcript. Its checkpoints are the saver's to delete.

        Raises:
            NotFound: There is no such thread.
        """
        await self._on_thread(thread_id, lambda c, _: delete_thread(c, self._tenant_id, thread_id))

    async def _on_thread(
        self, thread_id: str, work: Callable[[Connection, sa.ColumnElement[bool]], int]
    ) -> None:
        one = sa.and_(threads.c.tenant_id == self._tenant_id, threads.c.thread_id == thread_id)
        if not await self._database.write(lambda c: work(c, one)):
            raise unknown_thread(thread_id)

    def _threads(
        self,
        connection: Connection,
        *,
        limit: int | None = None,
        offset: int = 0,
        thread_ids: set[str] | None = None,
        where: sa.ColumnElement[bool] | None = None,
    ) -> list[ThreadRecord]:
        mine = sa.and_(runs.c.tenant_id == threads.c.tenant_id, runs.c.thread_id == threads.c.thread_id)
        active = sa.exists().where(mine, runs.c.status.in_(ACTIVE))
        newest = (
            sa.select(runs.c.status).where(mine).order_by(runs.c.position.desc()).limit(1).scalar_subquery()
        )
        query = (
            sa.select(threads, active.label("active"), newest.label("newest"))
            .where(self._mine(threads))
            .order_by(threads.c.updated_at.desc(), threads.c.thread_id)
            .offset(offset)
        )
        if limit is not None:
            query = query.limit(limit)
        if thread_ids is not None:
            query = query.where(threads.c.thread_id.in_(thread_ids))
        if where is not None:
            query = query.where(where)
        rows = connection.execute(query).all()
        tags = self._tags(connection, [row.thread_id for row in rows])
        return [_thread(row, tags.get(row.thread_id, [])) for row in rows]

    def _tags(self, connection: Connection, thread_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the tags of some threads; one without any is not there."""
        found: dict[str, list[str]] = {}
        query = sa.select(thread_tags.c.thread_id, thread_tags.c.tag).order_by(thread_tags.c.tag)
        mine = thread_tags.c.tenant_id == self._tenant_id
        for at in range(0, len(thread_ids), 500):
            for thread_id, tag in connection.execute(
                query.where(mine, thread_tags.c.thread_id.in_(thread_ids[at : at + 500]))
            ):
                found.setdefault(thread_id, []).append(tag)
        return found

    def find_thread(self, connection: Connection, name: str) -> ThreadRecord:
        """Do what `thread` does, on a connection."""
        exact = self._threads(connection, where=threads.c.thread_id == name)
        if exact:
            return exact[0]
        begins = threads.c.thread_id.startswith(name, autoescape=True) if len(name) >= 4 else sa.false()
        titled = (
            threads.c.title == name if name else sa.false()
        )  # "" is no name, though threads may have no title
        found = self._threads(connection, where=sa.or_(titled, begins), limit=2)
        return _only(found, f"thread '{name}'", "motet threads list")


_THIS_THREAD = (
    threads.c.tenant_id == sa.bindparam("of_tenant"),
    threads.c.thread_id == sa.bindparam("of_thread"),
)


def lock_thread(connection: Connection, tenant_id: str, thread_id: str) -> Any:
    """Return a thread's row, None if there is none, and keep others from changing it until the transaction ends."""
    return _LOCKED.first(connection, {"of_tenant": tenant_id, "of_thread": thread_id})


_LOCKED = Ready(sa.select(threads).where(*_THIS_THREAD).with_for_update())


def lock_active(connection: Connection, tenant_id: str, thread_id: str) -> Sequence[Any]:
    """Return a thread's runs that have not ended, oldest first, and keep others from changing them."""
    return _ACTIVE.all(connection, {"of_tenant": tenant_id, "of_thread": thread_id})


_ACTIVE = Ready(
    sa.select(runs)
    .where(runs.c.tenant_id == sa.bindparam("of_tenant"), runs.c.thread_id == sa.bindparam("of_thread"))
    .where(sa.or_(*(runs.c.status == status for status in ACTIVE)))
    .order_by(runs.c.position)
    .with_for_update()
)


def delete_thread(connection: Connection, tenant_id: str, thread_id: str) -> int:
    """Delete a thread with its runs, events and transcript; return 0 when there is no such thread, else 1."""
    transcript.delete(connection, tenant_id, thread_id)
    one = sa.and_(threads.c.tenant_id == tenant_id, threads.c.thread_id == thread_id)
    return connection.execute(sa.delete(threads).where(one)).rowcount


def unknown_thread(name: str) -> NotFound:
    """Return the error for a thread that is not there."""
    return NotFound(f"There is no thread '{name}'. 'motet threads list' shows them.")


def touch_thread(connection: Connection, tenant_id: str, thread_id: str, graph: str) -> None:
    """Say that a thread was used now, by this graph."""
    _TOUCH.do(connection, {"of_tenant": tenant_id, "of_thread": thread_id, "by_graph": graph})


_TOUCH = Ready(
    sa.update(threads).where(*_THIS_THREAD).values(updated_at=db_now(), graph=sa.bindparam("by_graph"))
)


def _only(found: Any, what: str, where: str) -> Any:
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"There is no {what}. '{where}' shows them.")
    raise NotFound(f"More than one answers to {what}: write more of its id. '{where}' shows them.")


def _thread(row: Row[Any], tags: list[str]) -> ThreadRecord:
    return ThreadRecord(**facts_of(row._mapping, tags))  # noqa: SLF001  # SQLAlchemy's public name


def record_of(row: Row[Any], texts: Texts) -> RunRecord:
    """Return a row of the runs as a record."""
    error = row.error
    if error is not None:
        error = texts.open(error, row.tenant_id, "runs", row.run_id, "error")
    return RunRecord(
        run_id=row.run_id,
        thread_id=row.thread_id,
        graph=row.graph,
        status=row.status,
        attempt=row.attempt,
        retries=row.retries,
        error=json.loads(error) if error else None,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        last_seq=row.last_seq,
    )


def message_of(row: Row[Any]) -> MessageRecord:
    """Return a row of the transcript as a record."""
    return MessageRecord(
        seq=row.seq,
        message_id=row.message_id,
        run_id=row.run_id,
        role=row.role,
        text=row.text,
        citations=json.loads(row.citations),
        created_at=row.created_at,
    )
