"""Runs that begin by the clock: kept in the database, begun by whichever worker looks first.

What does not live here: when an expression fires (`cron`) and whether a run may begin (`submit`: the gate is asked
when a schedule is made, and again at every tick).
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput, NotFound, StateCorrupt, UserError
from motet.runs.cron import Cron, check_zone
from motet.runs.request import RunJob, RunRequest, ScheduleRecord
from motet.runs.schedule_rows import close_details, open_request, record_of
from motet.storage.clock import db_now
from motet.storage.tables import schedules
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.engine import Connection, Row

    from motet.runs.submit import Gate
    from motet.storage.engine import Database

logger = logging.getLogger(__name__)

Missed = Literal["skip", "one", "all"]
"""What becomes of ticks that no worker was there for: none runs, one run for all of them, or a run each."""

GRACE_S = 60.0
"""A tick that is looked at so much later still counts as in time."""

MAX_MISSED = 100
"""Most runs that `all` makes up for at once; the oldest ticks are taken, those after them are given up."""

MAX_NAME_CHARS = 100

_PASS = 50
"""Most schedules of one look; the next look takes the others."""


@dataclass(frozen=True, slots=True)
class _Tick:
    """A schedule that is due: one row as it was seen."""

    tenant_id: str
    name: str
    next_at: float


class Schedules:
    """The schedules of one tenant; `tick` serves those of all.

    `clock` is SQL for unix seconds. `complete` gives a request what any door's is given before the gate has it.
    """

    def __init__(
        self,
        database: Database,
        gate: Gate,
        tenant_id: str,
        *,
        clock: Callable[[], sa.ColumnElement[float]] = db_now,
        complete: Callable[[RunRequest], Awaitable[RunRequest]] | None = None,
    ) -> None:
        self._database = database
        self._gate = gate
        self._tenant_id = tenant_id
        self._clock = clock
        self._complete = complete

    async def add(
        self,
        cron: str,
        request: RunRequest,
        *,
        zone: str = "UTC",
        missed: Missed = "one",
        name: str | None = None,
        ends_at: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> ScheduleRecord:
        """Keep a request and begin a run of it at every tick, from the next one on.

        The request is frozen as it is, with its graph's name and its caller. A thread that it names is gone on with;
        else each run has a thread of its own.

        Args:
            cron: Five fields.
            request: What is asked; it needs an input.
            zone: IANA name of the time zone that `cron` is read in.
            missed: What becomes of ticks that no worker was there for.
            name: 1 to 100 characters, the schedule's own within its tenant; one is made unless given.
            ends_at: No tick begins a run after this, unix seconds; there is no end unless given.
            details: What its maker says about it, plain JSON.

        Raises:
            InvalidInput: The expression, the zone, the name, or the request is none.
            Conflict: There is a schedule of this name.
            PermissionRefused: The request's caller may not start such a run, or is another tenant's.
            NotFound: No such graph, thread or tool.
        """
        name = _check_name(name) if name is not None else uuid.uuid4().hex[:8]
        self._check(request, missed)
        check_zone(zone)
        when = Cron(cron, zone)
        job = self._gate.grant(await self._completed(request))
        frozen = {"graph": job.graph, "input": _without_ids(job.input or {}), "idempotency_key": None}
        request = request.model_copy(update=frozen)

        def work(connection: Connection) -> ScheduleRecord:
            self._gate.check(connection, request, job)
            self._insert(connection, name, request, when, missed)
            extra = {
                "ends_at": ends_at,
                "details": close_details(connection, self._tenant_id, name, details or {}),
            }
            connection.execute(sa.update(schedules).where(self._one(name)).values(extra))
            return self._get(connection, name)

        return await self._database.write(work)

    async def list(self) -> list[ScheduleRecord]:
        """Return the tenant's schedules by name."""
        query = (
            sa.select(schedules).where(schedules.c.tenant_id == self._tenant_id).order_by(schedules.c.name)
        )
        return await self._database.read(lambda c: [record_of(row, texts_of(c)) for row in c.execute(query)])

    async def get(self, name: str) -> ScheduleRecord:
        """Return one schedule.

        Raises:
            NotFound: There is none of this name.
        """
        return await self._database.read(lambda c: self._get(c, name))

    async def pause(self, name: str) -> ScheduleRecord:
        """Begin no more runs until it is resumed; what runs goes on. Paused twice is paused.

        Raises:
            NotFound: There is none of this name.
        """

        def work(connection: Connection) -> ScheduleRecord:
            connection.execute(sa.update(schedules).where(self._one(name)).values(paused=True))
            return self._get(connection, name)

        return await self._database.write(work)

    async def resume(self, name: str) -> ScheduleRecord:
        """Go on from the next tick; those of the pause are not made up for. Its error is forgotten.

        Raises:
            NotFound: There is none of this name.
        """

        def work(connection: Connection) -> ScheduleRecord:
            query = sa.select(schedules).where(self._one(name))
            row = connection.execute(query.with_for_update()).first()
            if row is None:
                raise _unknown(name)
            if row.paused:
                next_at = Cron(row.cron, row.time_zone).after(self._now(connection))
                change = sa.update(schedules).where(self._one(name))
                connection.execute(change.values(paused=False, next_at=next_at, error=None))
            return self._get(connection, name)

        return await self._database.write(work)

    async def change(
        self,
        name: str,
        *,
        cron: str | None = None,
        zone: str | None = None,
        request: RunRequest | None = None,
        **values: Any,
    ) -> ScheduleRecord:
        """Say something new about a schedule; what is not said stays. A new time counts from now on.

        Args:
            name: The schedule.
            cron: Five fields.
            zone: IANA name of the time zone that the expression is read in.
            request: What is asked; as in `add`.
            values: `ends_at`, `details` and `paused`, as in `ScheduleRecord`.

        Raises:
            NotFound: There is none of this name, or the request names what is not there.
            InvalidInput, PermissionRefused: As in `add`.
        """
        old = await self.get(name)
        when = Cron(cron or old.cron, check_zone(zone or old.zone) or zone or old.zone)
        if request is not None:
            self._check(request, old.missed)
            job = self._gate.grant(await self._completed(request))
            frozen = {"graph": job.graph, "input": _without_ids(job.input or {}), "idempotency_key": None}
            request = request.model_copy(update=frozen)

        def work(connection: Connection) -> ScheduleRecord:
            new: dict[str, Any] = {**values, "cron": when.expression, "time_zone": when.zone}
            if "details" in new:
                new["details"] = close_details(connection, self._tenant_id, name, new["details"])
            if (when.expression, when.zone) != (old.cron, old.zone):
                new["next_at"] = when.after(self._now(connection))
            if request is not None:
                text = request.model_dump_json()
                new["request"] = texts_of(connection).close(text, self._tenant_id, "schedules", name)
            connection.execute(sa.update(schedules).where(self._one(name)).values(new))
            return self._get(connection, name)

        return await self._database.write(work)

    async def delete(self, name: str) -> None:
        """Delete a schedule; its runs stay.

        Raises:
            NotFound: There is none of this name.
        """
        change = sa.delete(schedules).where(self._one(name))
        if not await self._database.write(lambda c: c.execute(change).rowcount):
            raise _unknown(name)

    async def tick(self) -> None:
        """Begin the runs of every tenant that are due; a chore of workers. Each tick begins one run, whoever looks.

        What the gate refuses begins nothing and stands in the schedule's `error`; the schedule is paused then, unless
        its thread was only busy.
        """
        query = (
            sa.select(schedules.c.tenant_id, schedules.c.name, schedules.c.next_at)
            .where(schedules.c.next_at <= self._clock(), schedules.c.paused.is_(False))
            .order_by(schedules.c.next_at)
            .limit(_PASS)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        for row in rows:
            await self._begin(_Tick(*row))

    async def _begin(self, seen: _Tick) -> None:
        try:
            asked = await self._database.read(lambda c: self._asked(c, seen))
            if asked is None:
                return
            ready = await self._completed(asked)
            jobs = await self._database.write(lambda c: self._save(c, seen, asked, ready))
        except (UserError, StateCorrupt) as error:
            message = error.message
            logger.warning("schedule %s of tenant %s is paused: %s", seen.name, seen.tenant_id, message)
            change = sa.update(schedules).where(_still(seen)).values(paused=True, error=message)
            await self._database.write(lambda c: c.execute(change))
            return
        for job in jobs:
            self._gate.tell(job)

    async def _completed(self, request: RunRequest) -> RunRequest:
        return request if self._complete is None else await self._complete(request)

    def _asked(self, connection: Connection, seen: _Tick) -> RunRequest | None:
        row = connection.execute(sa.select(schedules).where(_still(seen))).first()
        return None if row is None else open_request(row, texts_of(connection))

    def _save(
        self, connection: Connection, seen: _Tick, asked: RunRequest, request: RunRequest
    ) -> list[RunJob]:
        """Take a schedule's due ticks and store their runs, in one transaction: both, or neither."""
        row = connection.execute(sa.select(schedules).where(_still(seen)).with_for_update()).first()
        if row is None or open_request(row, texts_of(connection)) != asked:
            return []  # another worker took the tick, or somebody changed, paused or deleted the schedule
        now = self._now(connection)
        cron = Cron(row.cron, row.time_zone)
        next_at, ends_at = cron.after(now), row.ends_at
        over = ends_at is not None and next_at > ends_at
        take = sa.update(schedules).where(_still(seen)).values(next_at=next_at, paused=over)
        ticks = [at for at in _due(cron, row.missed, row.next_at, now) if ends_at is None or at <= ends_at]
        if not connection.execute(take).rowcount or not ticks:
            return []
        jobs = list[RunJob]()
        values: dict[str, Any] = {}
        for at in ticks:
            try:
                with connection.begin_nested():
                    run_id, created = self._admit(connection, request, row, at)
            except (
                Conflict
            ) as error:  # the thread is busy, and the request says not to wait: the next tick may
                values["error"] = error.message
                continue
            jobs += created
            values |= {"last_at": at, "last_run_id": run_id, "error": None}
        one = sa.and_(schedules.c.tenant_id == row.tenant_id, schedules.c.name == row.name)
        connection.execute(sa.update(schedules).where(one).values(values))
        return jobs

    def _admit(
        self, connection: Connection, request: RunRequest, row: Row[Any], at: float
    ) -> tuple[str, list[RunJob]]:
        """Store the run of a tick; return its id, and the job where it is new."""
        # Of the time it was made too: a later schedule of the same name is another one.
        key = f"schedule:{row.name}:{row.created_at:.6f}:{at:.0f}"
        request = request.model_copy(update={"idempotency_key": key})
        job = self._gate.grant(request)
        accepted = self._gate.save(connection, request, job)
        return accepted.run_id, [job] if accepted.created else []

    def _check(self, request: RunRequest, missed: str) -> None:
        if missed not in get_args(Missed):
            raise InvalidInput(f"Unknown way with missed ticks '{missed}': write skip, one or all.")
        if request.caller.tenant_id != self._tenant_id:
            raise InvalidInput(f"The request is of tenant '{request.caller.tenant_id}', not of this one.")
        if request.input is None:
            raise InvalidInput(
                "A schedule needs an input: it cannot answer a question that is not asked yet."
            )

    def _insert(
        self, connection: Connection, name: str, request: RunRequest, when: Cron, missed: Missed
    ) -> None:
        if connection.execute(sa.select(schedules.c.name).where(self._one(name))).first() is not None:
            raise Conflict(f"There is a schedule '{name}' already: 'motet runs schedule rm' deletes it.")
        now = self._now(connection)
        text = request.model_dump_json()
        connection.execute(
            sa.insert(schedules).values(
                tenant_id=self._tenant_id,
                name=name,
                cron=when.expression,
                time_zone=when.zone,
                missed=missed,
                request=texts_of(connection).close(text, self._tenant_id, "schedules", name),
                next_at=when.after(now),
                created_at=now,
            )
        )

    def _now(self, connection: Connection) -> float:
        return float(connection.execute(sa.select(self._clock())).scalar_one())

    def _one(self, name: str) -> sa.ColumnElement[bool]:
        return sa.and_(schedules.c.tenant_id == self._tenant_id, schedules.c.name == name)

    def _get(self, connection: Connection, name: str) -> ScheduleRecord:
        row = connection.execute(sa.select(schedules).where(self._one(name))).first()
        if row is None:
            raise _unknown(name)
        return record_of(row, texts_of(connection))


def _due(cron: Cron, missed: Missed, next_at: float, now: float) -> list[float]:
    """Return the ticks that are to begin a run now, oldest first; `next_at` is due."""
    if missed == "all":
        ticks = [next_at]
        while len(ticks) < MAX_MISSED and (following := cron.after(ticks[-1])) <= now:
            ticks.append(following)
        return ticks
    if now - next_at <= GRACE_S or missed == "one":
        return [next_at]
    latest = cron.after(now - GRACE_S)
    return [latest] if latest <= now else []


def _still(seen: _Tick) -> sa.ColumnElement[bool]:
    """Match the schedule as long as nobody took the tick that was seen."""
    return sa.and_(
        schedules.c.tenant_id == seen.tenant_id,
        schedules.c.name == seen.name,
        schedules.c.next_at == seen.next_at,
        schedules.c.paused.is_(False),
    )


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise InvalidInput(f"A schedule's name has 1 to {MAX_NAME_CHARS} characters, on one line.")
    return name


def _without_ids(value: dict[str, Any]) -> dict[str, Any]:
    """Return an input whose messages are new ones each time; under one id the second would replace the first."""
    if "messages" not in value:
        return value
    return value | {"messages": [{k: v for k, v in m.items() if k != "id"} for m in value["messages"]]}


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no schedule '{name}'. 'motet runs schedule list' shows them.", name=name)
