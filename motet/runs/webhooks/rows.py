"""Who is told of a run's end, on disk: kept with the run, taken by whichever process looks first.

What does not live here: the sending (`postman`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import StateCorrupt
from motet.runs.records import ACTIVE
from motet.storage.clock import db_now
from motet.storage.tables import runs, webhooks
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from motet.runs.request import RunJob, Webhook

MAX_ANSWER_CHARS = 300


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose time has come; this process has it for a while."""

    tenant_id: str
    owner_id: str
    run_id: str
    wire: str
    url: str
    body: str | None
    """What was sent before; None before the first try."""
    tries: int
    """This one included."""
    now: float


def keep(connection: Connection, job: RunJob, webhook: Webhook | None) -> None:
    """Keep whom to tell of a run's end, in the transaction that stores the run."""
    if webhook is None:
        return
    url = texts_of(connection).close(webhook.url, job.tenant_id, "webhooks", job.run_id, "url")
    connection.execute(
        sa.insert(webhooks).values(
            tenant_id=job.tenant_id,
            run_id=job.run_id,
            thread_id=job.thread_id,
            owner_id=job.owner_id,
            wire=webhook.wire,
            url=url,
            created_at=db_now(),
        )
    )


def take(connection: Connection, *, lease_s: float) -> Due | None:
    """Take one message that is due and whose run has ended; None where there is none that can be read.

    Nobody else takes it for `lease_s`. A process that dies with it leaves it to the next one then.
    """
    over = sa.and_(runs.c.tenant_id == webhooks.c.tenant_id, runs.c.run_id == webhooks.c.run_id)
    query = (
        sa.select(webhooks, db_now().label("now"))
        .join(runs, over, isouter=True)
        .where(webhooks.c.status == "waiting", webhooks.c.next_at <= db_now())
        .where(sa.or_(runs.c.status.is_(None), runs.c.status.not_in(ACTIVE)))
        .order_by(webhooks.c.next_at)
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    seen = sa.and_(
        webhooks.c.tenant_id == row.tenant_id,
        webhooks.c.run_id == row.run_id,
        webhooks.c.status == "waiting",
        webhooks.c.tries == row.tries,
    )
    change = sa.update(webhooks).where(seen).values(tries=row.tries + 1, next_at=row.now + lease_s)
    if not connection.execute(change).rowcount:
        return None
    try:
        return read(connection, row)
    except StateCorrupt as error:  # one that cannot be read must not keep others waiting
        lost = sa.update(webhooks).values(status="failed", answer=error.message, ended_at=db_now())
        connection.execute(lost.where(webhooks.c.tenant_id == row.tenant_id, webhooks.c.run_id == row.run_id))
        return None


def read(connection: Connection, row: Row[Any]) -> Due:
    """Return a row's message as it is at this try.

    Raises:
        StateCorrupt: Its address, or what was sent before, cannot be read.
    """
    texts, place = texts_of(connection), (row.tenant_id, "webhooks", row.run_id)
    return Due(
        tenant_id=row.tenant_id,
        owner_id=row.owner_id,
        run_id=row.run_id,
        wire=row.wire,
        url=texts.open(row.url, *place, "url"),
        body=None if row.body is None else texts.open(row.body, *place, "body"),
        tries=row.tries + 1,
        now=row.now,
    )


def write_body(connection: Connection, due: Due, body: str) -> None:
    """Keep what is sent: the same bytes at every try, whatever becomes of the run's record."""
    closed = texts_of(connection).close(body, due.tenant_id, "webhooks", due.run_id, "body")
    connection.execute(sa.update(webhooks).where(_one(due)).values(body=closed))


def note(
    connection: Connection, due: Due, *, answer: str, again_s: float | None = None, sent: bool = False
) -> None:
    """Note what came of a try: it was taken, it is tried again so many seconds later, or it is given up."""
    values = {"answer": answer[:MAX_ANSWER_CHARS]}
    if again_s is not None:
        change = sa.update(webhooks).values(**values, next_at=db_now() + again_s)
    else:
        change = sa.update(webhooks).values(**values, status="sent" if sent else "failed", ended_at=db_now())
    connection.execute(change.where(_one(due), webhooks.c.tries == due.tries))


def _one(due: Due) -> sa.ColumnElement[bool]:
    return sa.and_(webhooks.c.tenant_id == due.tenant_id, webhooks.c.run_id == due.run_id)
