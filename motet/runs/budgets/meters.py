"""The meters on disk: reserved before a call, settled after it, each in one transaction with its check.

What does not live here: when it is asked (`guard`), and what a person is told (`question`).

A call is let through while less is spent than the limit, and what other calls hold fits in beside it. So what is
spent passes a limit by one call at most, however many runs work side by side: the last one is let through alone.
Functions take a connection and belong into a writing transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from motet.runs.budget import NAMES
from motet.runs.budgets.limits import DAILY
from motet.storage.clock import db_now, lease_now
from motet.storage.tables import budget_holds as holds
from motet.storage.tables import budget_meters as meters
from motet.storage.tables import runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.runs.budgets.limits import Limit, Scope

Kind = Literal["model", "tool"]

MICRO = 1_000_000
"""Money is counted in millionths of a dollar, which are whole numbers."""

DAY_S = 86400


class Amount(NamedTuple):
    """What a call takes, or is expected to take at most."""

    tokens: int = 0
    cost_microusd: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is about to be made."""

    hold_id: str
    kind: Kind
    expected: Amount
    tenant_id: str
    run_id: str
    fence: int
    thread_id: str
    limits: Sequence[Limit]


@dataclass(frozen=True, slots=True)
class Crossed:
    """A limit that was reached."""

    scope: Scope
    scope_id: str
    name: str
    """`tokens`, `cost`, `time`, `model_calls` or `tool_calls`."""
    limit: float
    spent: float
    at_limit: str


WAIT: Literal["wait"] = "wait"
"""Others' calls may take what is left: ask again when one of them has ended."""


def take(connection: Connection, call: Call, worked_s: float) -> Crossed | Literal["wait"] | None:
    """Reserve what a call may take; None when it may be made.

    Args:
        connection: In a writing transaction.
        call: The call.
        worked_s: Seconds that its run worked since this was told last.
    """
    rows = [(limit, _meter(connection, call, limit)) for limit in call.limits]
    if worked_s:
        _add(connection, rows, time_s=meters.c.time_s + worked_s)
    crossed = [found for limit, row in rows if (found := _crossed(call, limit, row, worked_s))]
    if crossed:
        return crossed[0]
    if any(_must_wait(call, limit, row) for limit, row in rows):
        return WAIT
    changes: dict[str, Any] = {
        "held_tokens": meters.c.held_tokens + call.expected.tokens,
        "held_microusd": meters.c.held_microusd + call.expected.cost_microusd,
    }
    counter = meters.c.model_calls if call.kind == "model" else meters.c.tool_calls
    _add(connection, rows, **changes, **{counter.name: counter + 1})
    if call.kind == "tool":
        return None
    connection.execute(
        sa.insert(holds).values(
            tenant_id=call.tenant_id,
            hold_id=call.hold_id,
            run_id=call.run_id,
            thread_id=call.thread_id,
            fence=call.fence,
            tokens=call.expected.tokens,
            cost_microusd=call.expected.cost_microusd,
            meters=json.dumps([row.meter_key for _, row in rows]),
        )
    )
    return None


def settle(connection: Connection, tenant_id: str, hold_id: str, spent: Amount, worked_s: float = 0) -> None:
    """Put what a call took in the place of what it had reserved; one that is settled already is left."""
    gone = connection.execute(
        sa.delete(holds)
        .where(holds.c.tenant_id == tenant_id, holds.c.hold_id == hold_id)
        .returning(holds.c.tokens, holds.c.cost_microusd, holds.c.meters)
    ).first()
    if gone is None:
        return
    connection.execute(
        sa.update(meters)
        .where(meters.c.meter_key.in_(json.loads(gone.meters)))
        .values(
            held_tokens=meters.c.held_tokens - gone.tokens,
            held_microusd=meters.c.held_microusd - gone.cost_microusd,
            tokens=meters.c.tokens + spent.tokens,
            cost_microusd=meters.c.cost_microusd + spent.cost_microusd,
            time_s=meters.c.time_s + worked_s,
        )
    )


def settle_left(connection: Connection, tenant_id: str, *, run_id: str | None = None, fence: int = 0) -> int:
    """Settle the calls whose end nobody will tell, as if they had taken all that they reserved; return how many.

    Args:
        connection: In a writing transaction.
        tenant_id: Whose calls.
        run_id: Only of this run, and of attempts before `fence`; else of every run that no worker works on.
        fence: Number of the attempt that begins.
    """
    query = sa.select(holds.c.hold_id, holds.c.tokens, holds.c.cost_microusd).where(
        holds.c.tenant_id == tenant_id
    )
    if run_id is not None:
        query = query.where(holds.c.run_id == run_id, holds.c.fence < fence)
    else:
        at_work = sa.exists().where(
            runs.c.tenant_id == holds.c.tenant_id,
            runs.c.run_id == holds.c.run_id,
            runs.c.fence == holds.c.fence,
            runs.c.status == "running",
            runs.c.lease_until > lease_now(),
        )
        query = query.where(~at_work)
    left = connection.execute(query).all()
    for row in left:
        settle(connection, tenant_id, row.hold_id, Amount(row.tokens, row.cost_microusd))
    if connection.execute(sa.select(holds.c.hold_id).where(holds.c.tenant_id == tenant_id)).first() is None:
        # A conversation that was deleted takes the holds of its crashed runs with it.
        stuck = sa.and_(meters.c.tenant_id == tenant_id, meters.c.held_tokens + meters.c.held_microusd != 0)
        connection.execute(sa.update(meters).where(stuck).values(held_tokens=0, held_microusd=0))
    return len(left)


def allow_more(connection: Connection, tenant_id: str, scope: str, scope_id: str, name: str) -> None:
    """Let a scope spend as much again of one limit."""
    one = _one(connection, tenant_id, scope, scope_id)
    row = connection.execute(sa.select(meters).where(one).with_for_update()).first()
    if row is not None:
        granted = json.loads(row.granted)
        granted[name] = granted.get(name, 0) + 1
        connection.execute(sa.update(meters).where(one).values(granted=json.dumps(granted)))


def read(
    connection: Connection, tenant_id: str, limits: Iterable[Limit]
) -> list[tuple[Limit, Row[Any] | None]]:
    """Return the meter of each limit; None where nothing was spent yet."""
    found: list[tuple[Limit, Row[Any] | None]] = []
    for limit in limits:
        one = _one(connection, tenant_id, limit.scope, limit.scope_id)
        found.append((limit, connection.execute(sa.select(meters).where(one)).first()))
    return found


def spent_of(row: Row[Any], name: str) -> float:
    """Return what a meter shows for a limit, in the limit's unit."""
    return row.cost_microusd / MICRO if name == "cost" else getattr(row, "time_s" if name == "time" else name)


def allowed_of(limit: Limit, row: Row[Any] | None, name: str) -> float | None:
    """Return how much may be spent of a limit, with what a person allowed on top; None for no limit."""
    most = getattr(limit.budget, NAMES[name])
    if most is None or row is None:
        return most
    # As much again as nothing would be nothing, for ever; limits of 0 are those on calls.
    return most + (most or 1) * json.loads(row.granted).get(name, 0)


def _one(connection: Connection, tenant_id: str, scope: str, scope_id: str) -> sa.ColumnElement[bool]:
    day = today(connection) if scope in DAILY else 0
    return sa.and_(
        meters.c.tenant_id == tenant_id,
        meters.c.scope == scope,
        meters.c.scope_id == scope_id,
        meters.c.day == day,
    )


def today(connection: Connection) -> int:
    """Return the day by the database's clock, in days since 1970-01-01, UTC."""
    return int(connection.execute(sa.select(db_now())).scalar_one() // DAY_S)


def _meter(connection: Connection, call: Call, limit: Limit) -> Row[Any]:
    """Return a limit's meter, locked; limits come in one order, so that no two transactions lock crosswise."""
    one = _one(connection, call.tenant_id, limit.scope, limit.scope_id)
    query = sa.select(meters).where(one).with_for_update()
    row = connection.execute(query).first()
    if row is not None:
        return row
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    made = insert(meters).values(
        tenant_id=call.tenant_id,
        scope=limit.scope,
        scope_id=limit.scope_id,
        day=today(connection) if limit.scope in DAILY else 0,
        thread_id=call.thread_id if limit.scope not in DAILY else None,
    )
    connection.execute(made.on_conflict_do_nothing())
    return connection.execute(query).one()


def _add(connection: Connection, rows: Sequence[tuple[Limit, Row[Any]]], **values: Any) -> None:
    keys = [row.meter_key for _, row in rows]
    connection.execute(sa.update(meters).where(meters.c.meter_key.in_(keys)).values(**values))


def _crossed(call: Call, limit: Limit, row: Row[Any], worked_s: float) -> Crossed | None:
    for name in _names(call):
        most = allowed_of(limit, row, name)
        spent = spent_of(row, name) + (worked_s if name == "time" else 0)
        if most is not None and spent >= most:
            return Crossed(limit.scope, limit.scope_id, name, most, spent, limit.budget.at_limit)
    return None


def _names(call: Call) -> Iterable[str]:
    """Return the limits that stop a call; a tool reads no tokens, and a model of one's own costs nothing."""
    if call.kind == "tool":
        return ("tool_calls", "time")
    return ("model_calls", "tokens", "time", *(["cost"] if call.expected.cost_microusd else []))


def _must_wait(call: Call, limit: Limit, row: Row[Any]) -> bool:
    """Say whether what others hold leaves too little; where nobody holds anything, the last call may pass the limit."""
    if call.kind == "tool":
        return False
    tokens, cost = allowed_of(limit, row, "tokens"), allowed_of(limit, row, "cost")
    full = (
        tokens is not None
        and row.held_tokens
        and row.tokens + row.held_tokens + call.expected.tokens > tokens
    )
    dear = (
        cost is not None
        and call.expected.cost_microusd
        and row.held_microusd
        and row.cost_microusd + row.held_microusd + call.expected.cost_microusd > cost * MICRO
    )
    return bool(full or dear)
