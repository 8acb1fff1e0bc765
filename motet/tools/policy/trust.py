"""What a thread has read, whom it may believe, and what a person allowed in it: rows that outlive every run.

What does not live here: what follows from it (`guard`). A thread that has read strangers' words stays one that has,
over checkpoints, summaries, crashes, rewinds and forks.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import sqlalchemy as sa

from motet.storage.clock import db_now
from motet.storage.ready import Ready
from motet.storage.tables import messages, runs, thread_trust
from motet.storage.texts import texts_of
from motet.tools.policy.pasted import without_pasted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection

    from motet.storage.engine import Database

Kind = Literal["read", "outside", "grant", "offer"]
"""What a row says: something of a stranger's was read; a message is not the user's own; a rule that a person allowed
here; links that a search offered."""

MESSAGES = 50
_RUNS, _OFFERS, _ROWS = 20, 20, 500
"""How far back a call's arguments are looked for."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a thread's rows say."""

    read: list[str] = field(default_factory=list[str])
    """Where strangers' words were read, first come first."""
    grants: list[str] = field(default_factory=list[str])
    offered: frozenset[str] = frozenset()


class TrustRows(Protocol):
    """Where the rows are kept."""

    async def load(self) -> Trusted:
        """Return what the thread's rows say."""
        ...

    async def add(self, kind: Kind, value: str) -> None:
        """Store a row; one that is there already stays as it is."""
        ...

    async def said(self) -> list[str]:
        """Return the user's own words in this thread, the oldest of the last ones first."""
        ...


class SqlTrustRows:
    """`TrustRows` in Motet's own database."""

    def __init__(self, database: Database, tenant_id: str, thread_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._thread_id = thread_id

    async def load(self) -> Trusted:
        """See `TrustRows.load`."""
        rows = await self._database.peek(self._load)
        offers = [link for kind, value in rows if kind == "offer" for link in json.loads(value)]
        return Trusted(
            read=[value for kind, value in rows if kind == "read"],
            grants=[value for kind, value in rows if kind == "grant"],
            offered=frozenset(offers[-_OFFERS * 10 :]),
        )

    async def add(self, kind: Kind, value: str) -> None:
        """See `TrustRows.add`."""
        await self._database.jot(lambda c: add(c, self._tenant_id, self._thread_id, kind, value))

    async def said(self) -> list[str]:
        """See `TrustRows.said`."""
        return await self._database.read(self._said)

    def _load(self, connection: Connection) -> list[tuple[str, str]]:
        return list(_rows(connection, self._tenant_id, self._thread_id, limit=_ROWS))

    def _said(self, connection: Connection) -> list[str]:
        outside = {
            value for kind, value in _rows(connection, self._tenant_id, self._thread_id) if kind == "outside"
        }
        texts, mine = texts_of(connection), messages.c.tenant_id == self._tenant_id
        query = (
            sa.select(messages.c.seq, messages.c.message_id, messages.c.text)
            .where(mine, messages.c.thread_id == self._thread_id, messages.c.role == "user")
            .order_by(messages.c.seq.desc())
            .limit(MESSAGES)
        )
        said = [
            without_pasted(texts.open(row.text, self._tenant_id, "messages", self._thread_id, row.seq))
            for row in connection.execute(query)
            if row.message_id not in outside
        ]
        jobs = (
            sa.select(runs.c.run_id, runs.c.job)
            .where(runs.c.tenant_id == self._tenant_id, runs.c.thread_id == self._thread_id)
            .order_by(runs.c.position.desc())
            .limit(_RUNS)
        )
        for run_id, stored in connection.execute(jobs):
            job = json.loads(texts.open(stored, self._tenant_id, "runs", run_id, "job"))
            said += [] if job["options"].get("untrusted") else list(_strings_of_job(job))
        return list(reversed(said))


def add(connection: Connection, tenant_id: str, thread_id: str, kind: Kind, value: str) -> None:
    """Store a row of a thread, in the caller's transaction; one that is there already stays as it is."""
    key = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:32]
    named = {"of_tenant": tenant_id, "of_thread": thread_id, "of_kind": kind, "of_item": key}
    if _IS_THERE.first(connection, named) is not None:
        return
    stored = texts_of(connection).close(value, tenant_id, "thread_trust", thread_id, kind, key)
    row = {"tenant_id": tenant_id, "thread_id": thread_id, "kind": kind, "item_key": key, "value": stored}
    _PUT.do(connection, row)


_MINE = sa.and_(
    thread_trust.c.tenant_id == sa.bindparam("of_tenant"),
    thread_trust.c.thread_id == sa.bindparam("of_thread"),
)
_IS_THERE = Ready(
    sa.select(thread_trust.c.kind).where(
        _MINE,
        thread_trust.c.kind == sa.bindparam("of_kind"),
        thread_trust.c.item_key == sa.bindparam("of_item"),
    )
)
_PUT = Ready(sa.insert(thread_trust).values(created_at=db_now()))
_IN_ORDER = sa.select(thread_trust).where(_MINE).order_by(thread_trust.c.created_at, thread_trust.c.item_key)
_ALL = Ready(_IN_ORDER)
_FIRST = Ready(_IN_ORDER.limit(sa.bindparam("most")))


def copy(connection: Connection, tenant_id: str, thread_id: str, new_id: str) -> None:
    """Give a fork what its thread has; what a person allowed in the thread is not allowed in the fork."""
    for kind, value in list(_rows(connection, tenant_id, thread_id)):
        if kind != "grant":
            add(connection, tenant_id, new_id, kind, value)


def _rows(
    connection: Connection, tenant_id: str, thread_id: str, *, limit: int | None = None
) -> Iterator[tuple[Kind, str]]:
    named, texts = {"of_tenant": tenant_id, "of_thread": thread_id}, texts_of(connection)
    query, named = (_ALL, named) if limit is None else (_FIRST, {**named, "most": limit})
    for row in query.all(connection, named):
        yield row.kind, texts.open(row.value, tenant_id, "thread_trust", thread_id, row.kind, row.item_key)


def _strings_of_job(job: dict[str, Any]) -> Iterator[str]:
    """Yield what a run was given besides its messages, which are in the transcript: other input, and answers."""
    given = {key: value for key, value in (job.get("input") or {}).items() if key != "messages"}
    answers: Sequence[Any] = list((job.get("answers") or {}).values())
    for value in (*given.values(), *answers, job.get("resume")):
        yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)
