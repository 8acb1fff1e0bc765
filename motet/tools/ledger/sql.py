"""The ledger on Motet's own database, in the table `tool_calls`."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from motet.errors import InvalidInput
from motet.storage.clock import db_now
from motet.storage.fence import Fence, hold
from motet.storage.ready import Ready
from motet.storage.tables import tool_calls as table
from motet.tools.ledger.base import Call, Entry

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection, Row

    from motet.memory.serde import StrictSerializer
    from motet.storage.engine import Database
    from motet.storage.seal import Seal

logger = logging.getLogger(__name__)

TABLE = "tool_calls"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who makes the calls: one attempt of one run."""

    tenant_id: str
    thread_id: str
    run_id: str
    fence: int
    """Of the claim; calls under an older one are refused."""
    reuse_results_of: str | None = None
    """A run whose results answer this run's calls of the same tool with the same arguments, in their order."""


class SqlLedger:
    """A `Ledger` of one attempt. A call begins in the transaction that finds the run to be this worker's still."""

    def __init__(self, database: Database, seal: Seal, serde: StrictSerializer, attempt: Attempt) -> None:
        self._database = database
        self._seal = seal
        self._serde = serde
        self._attempt = attempt

    def around(self, place: str) -> AbstractContextManager[None]:
        """See `Ledger.around`."""
        return self._database.crash.around(place)

    async def begin(self, call: Call, *, asks_first: bool = False) -> Entry:
        """See `Ledger.begin`."""
        row = await self._database.jot(lambda c: self._begin(c, call, asks_first=asks_first))
        if row is None:
            return Entry("waiting" if asks_first else "open", is_new=True, asks_first=asks_first)
        known = Entry(row.status, asks=row.asks, asks_first=bool(row.asks_first))
        if row.status != "done" or row.result is None:
            return known
        content = self._seal.unseal(row.result, self._attempt.tenant_id, TABLE, row.call_key)
        return replace(known, has_result=True, result=self._serde.loads(content))

    async def begin_again(self, call: Call, *, asks: int) -> None:
        """See `Ledger.begin_again`."""

        def work(connection: Connection) -> None:
            self._check_lease(connection)
            values = {"status": "open", "asks": asks, "started_at": db_now(), "ended_at": None}
            connection.execute(sa.update(table).where(self._one(call.key)).values(**values, **self._mine()))

        await self._database.jot(work)

    async def finish(self, call: Call, result: Any, *, asks: int | None = None) -> None:
        """See `Ledger.finish`. A result of an unknown class is left out: then only the call's end is known."""
        given = {**self._named(call.key), "given": self._pack(call, result)}
        if asks is None:
            await self._database.jot(lambda c: _FINISH.do(c, given))
        else:
            change = _FINISHED.values(asks=asks)
            await self._database.jot(lambda c: c.execute(change, given))

    async def leave(self, call: Call, status: Literal["paused", "failed"]) -> None:
        """See `Ledger.leave`."""
        still_open = sa.and_(self._one(call.key), table.c.status == "open")
        change = sa.update(table).where(still_open).values(status=status, ended_at=db_now())
        await self._database.jot(lambda c: c.execute(change))

    async def made(self, besides: Call) -> dict[str, int]:
        """See `Ledger.made`."""
        mine = sa.and_(
            table.c.tenant_id == self._attempt.tenant_id,
            table.c.run_id == self._attempt.run_id,
            table.c.call_key != besides.key,
        )
        query = sa.select(table.c.tool, sa.func.count()).where(mine).group_by(table.c.tool)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {str(tool): int(count) for tool, count in rows}

    def _begin(self, connection: Connection, call: Call, *, asks_first: bool) -> Row[Any] | None:
        self._check_lease(connection)
        row = _FIND.first(connection, self._named(call.key))
        if row is not None:
            return row
        digests = self._seal.digests(hashlib.sha256(call.arguments.encode()).hexdigest())
        known = self._recorded(connection, call.tool, digests)
        values: dict[str, Any] = {
            "tenant_id": self._attempt.tenant_id,
            "call_key": call.key,
            "thread_id": self._attempt.thread_id,
            "tool": call.tool,
            "arguments_digest": digests[0],
            "effect": call.effect,
            "status": "waiting" if asks_first else "open",
            "asks_first": int(asks_first),
            **self._mine(),
        }
        if known is not None:
            content = self._seal.unseal(known.result, self._attempt.tenant_id, TABLE, known.call_key)
            values |= {
                "status": "done",
                "asks_first": 0,
                "result": self._seal.seal(content, self._attempt.tenant_id, TABLE, call.key),
                "reused_key": known.call_key,
            }
        if known is None:
            _PUT.do(connection, values)
            return None
        connection.execute(_BEGIN.values(ended_at=db_now()), values)
        return _FIND.one(connection, self._named(call.key))

    def _recorded(self, connection: Connection, tool: str, digests: list[str]) -> Row[Any] | None:
        """Return the result, in the run whose results are used again, that answers this run's next such call."""
        if self._attempt.reuse_results_of is None:
            return None
        same = sa.and_(
            table.c.tenant_id == self._attempt.tenant_id,
            table.c.tool == tool,
            table.c.arguments_digest.in_(digests),
        )
        mine = (
            sa.select(sa.func.count()).select_from(table).where(same, table.c.run_id == self._attempt.run_id)
        )
        earlier = connection.execute(mine).scalar_one()
        query = (
            sa.select(table)
            .where(
                same,
                table.c.run_id == self._attempt.reuse_results_of,
                table.c.status == "done",
                table.c.result.is_not(None),
            )
            .order_by(table.c.position)
            .offset(earlier)
            .limit(1)
        )
        return connection.execute(query).first()

    def _check_lease(self, connection: Connection) -> None:
        attempt = self._attempt
        hold(connection, Fence(attempt.tenant_id, attempt.run_id, attempt.fence))

    def _one(self, key: str) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.tenant_id == self._attempt.tenant_id, table.c.call_key == key)

    def _named(self, key: str) -> dict[str, str]:
        return {"of_tenant": self._attempt.tenant_id, "of_call": key}

    def _mine(self) -> dict[str, Any]:
        return {"run_id": self._attempt.run_id}

    def _pack(self, call: Call, result: Any) -> bytes | None:
        try:
            content = self._serde.dumps(result)
        except InvalidInput as error:
            logger.warning("the result of %s is not kept: %s", call.tool, error.message)
            return None
        return self._seal.seal(content, self._attempt.tenant_id, TABLE, call.key)


_ONE = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.call_key == sa.bindparam("of_call"))
_FIND = Ready(sa.select(table).where(_ONE))
_BEGIN = sa.insert(table).values(started_at=db_now())
_PUT = Ready(_BEGIN)
_FINISHED = (
    sa.update(table)
    .where(_ONE, table.c.status != "done")
    .values(status="done", ended_at=db_now(), result=sa.bindparam("given", type_=table.c.result.type))
)
_FINISH = Ready(_FINISHED)
