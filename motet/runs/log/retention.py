"""What becomes of the logs of runs that have ended: pieces of whole messages are folded, old events removed.

What does not live here: transcripts and runs' rows, which retention leaves alone. Nothing is renumbered: one
`events.removed` stands at the last number of each range that is gone.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa

from motet.errors import MotetError
from motet.events import TERMINAL, EventsRemoved, encode
from motet.storage.clock import db_now
from motet.storage.tables import events, runs
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.storage.engine import Database

logger = logging.getLogger(__name__)

DAY_S = 86_400.0

BATCH_RUNS = 20
BATCH_S = 0.5
"""One call looks after so many runs and takes about so long: whoever calls renews leases too."""

Why = Literal["folded", "expired"]

_KEPT = TERMINAL | {"interrupt.requested"}
"""Stay for ever: how the run ended, and what a person is asked, who may still answer."""


class Gap(NamedTuple):
    """Rows of a log that go; the number of the last one stays, for the event that says so."""

    first_row: int
    last_row: int
    event: EventsRemoved


@dataclass(slots=True, kw_only=True)
class Retention:
    """Looks after the logs of every tenant. Days of 0 keep everything.

    A log that cannot be read (a key is missing, a row was changed) is told once, and left as it is.
    """

    database: Database
    fold_after_days: float
    keep_days: float
    _unreadable: set[int] = field(default_factory=set[int])

    async def trim(self) -> int:
        """Look after a few runs, the oldest first; return how many. 0 means that nothing is left to do."""
        began, done = time.monotonic(), 0
        plans: list[tuple[Why, float, tuple[str, ...]]] = [
            ("expired", self.keep_days, ("", "folded")),
            ("folded", self.fold_after_days, ("",)),
        ]
        for why, days, states in plans:
            if not days:
                continue
            found = await self.database.read(self._due(days, states))
            for run in found:
                done += await self._trim_one(run, why)
                if time.monotonic() - began > BATCH_S:
                    return done
        return done

    def _due(self, days: float, states: tuple[str, ...]) -> Callable[[Connection], Sequence[Any]]:
        query = (
            sa.select(runs.c.position, runs.c.tenant_id, runs.c.run_id, runs.c.trimmed, runs.c.last_seq)
            .where(
                runs.c.trimmed.in_(states),
                runs.c.ended_at < db_now() - days * DAY_S,
                runs.c.status.not_in(("pending", "running")),
                runs.c.position.not_in(self._unreadable),
            )
            .order_by(runs.c.ended_at)
            .limit(BATCH_RUNS)
        )
        return lambda c: c.execute(query).all()

    async def _trim_one(self, run: Row[Any], why: Why) -> int:
        # Read and parsed outside of the write: what has ended grows by a terminal event at most.
        try:
            gaps = await self.database.read(lambda c: _gaps(c, run, why))
        except MotetError as error:
            self._unreadable.add(run.position)
            logger.warning("cannot look after the log of run %s: %s", run.run_id, error.message)
            return 0
        return await self.database.write(lambda c: _remove(c, run, why, gaps))


def _gaps(connection: Connection, run: Row[Any], why: Why) -> list[Gap]:
    """Return what is to go from a run's log."""
    texts = texts_of(connection)
    query = sa.select(events.c.seq, events.c.event).where(_of(run)).order_by(events.c.seq)
    log = [
        (seq, json.loads(texts.open(stored, run.tenant_id, "events", run.run_id, seq)))
        for seq, stored in connection.execute(query).all()
    ]
    if why == "expired":
        return _ranges(((seq, event, event["type"] not in _KEPT) for seq, event in log), why)
    whole = {event["message_id"] for _, event in log if event["type"] == "message.completed"}
    return _ranges(((seq, event, _is_piece(event, whole)) for seq, event in log), why)


def _is_piece(event: dict[str, Any], whole: set[str]) -> bool:
    """Say whether an event says again what other events, or the thread's state, say as a whole."""
    return event["type"] == "stream.part" or (
        event["type"] == "message.delta" and event["message_id"] in whole
    )


def _ranges(log: Iterable[tuple[int, dict[str, Any], bool]], why: Why) -> list[Gap]:
    """Join neighbours that go; what an earlier round took out between them is part of the range."""
    found: list[Gap] = []
    open_gap = False
    for seq, event, goes in log:
        if goes:
            first_row, first_seq = seq, event["first_seq"] if event["type"] == "events.removed" else seq
            if open_gap:
                gap = found.pop()
                first_row, first_seq = gap.first_row, gap.event.first_seq
            found.append(Gap(first_row, seq, EventsRemoved(first_seq=first_seq, last_seq=seq, why=why)))
        open_gap = goes
    return found


def _remove(connection: Connection, run: Row[Any], why: Why, gaps: list[Gap]) -> int:
    """Take the gaps' rows out, unless another worker did so meanwhile; return 1 when that was done here."""
    one = sa.and_(runs.c.position == run.position, runs.c.trimmed == run.trimmed)
    if not connection.execute(sa.update(runs).where(one).values(trimmed=why)).rowcount:
        return 0
    texts = texts_of(connection)
    for gap in gaps:
        rows = events.c.seq.between(gap.first_row, gap.last_row - 1)
        connection.execute(sa.delete(events).where(_of(run), rows))
        told = texts.close(encode(gap.event)[1], run.tenant_id, "events", run.run_id, gap.last_row)
        last = events.c.seq == gap.last_row
        connection.execute(sa.update(events).where(_of(run), last).values(event=told))
    return 1


def _of(run: Row[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(events.c.tenant_id == run.tenant_id, events.c.run_id == run.run_id)
