"""Refuses what a worker writes for a run that is another's by now, in the transaction that would write it.

What does not live here: who gets a run (the queue). Everything that a run stores and that a later attempt relies on
(events, checkpoints, pending writes) holds its fence first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.errors import LeaseLost
from motet.storage.ready import Ready
from motet.storage.tables import runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

CONFIG_KEY = "__motet_fence"
"""Where a LangGraph config carries the fence of its run; keys that begin so are not stored with checkpoints."""


class Fence(NamedTuple):
    """A run, and the number of the claim that may write for it."""

    tenant_id: str
    run_id: str
    number: int


def hold(connection: Connection, fence: Fence) -> None:
    """Keep the run this claim's until the transaction ends.

    Raises:
        LeaseLost: It is another claim's by now, or has ended; the transaction must not write anything for it.
    """
    known = _held_in(connection)
    if fence in known:
        return
    if _HELD.first(connection, fence._asdict()) is None:
        raise LeaseLost(f"Run {fence.run_id} is another worker's, or has ended.", run_id=fence.run_id)
    known.add(fence)


def let_go(connection: Connection) -> None:
    """Forget what is held: this transaction itself ended a run, or gave it away."""
    connection.info.pop(_KNOWN, None)


def _held_in(connection: Connection) -> set[Fence]:
    """Return the fences that this transaction holds; a savepoint's are its own, since it may be undone alone."""
    transaction = connection.get_nested_transaction() or connection.get_transaction()
    of, known = connection.info.get(_KNOWN, (None, None))
    if known is None or of is not transaction:
        known = set[Fence]()
        connection.info[_KNOWN] = transaction, known
    return known


_KNOWN = "motet_fences"


_HELD = Ready(
    sa.select(runs.c.position)
    .where(
        runs.c.tenant_id == sa.bindparam("tenant_id"),
        runs.c.run_id == sa.bindparam("run_id"),
        runs.c.fence == sa.bindparam("number"),
        runs.c.status == "running",
    )
    .with_for_update(key_share=True)
)


def guarded(connection: Connection, fence: Fence | None) -> Connection:
    """Return the connection, with a fence held on it where one is given; see `hold`."""
    if fence is not None:
        hold(connection, fence)
    return connection


def held(connection: Connection, config: Mapping[str, Any]) -> Connection:
    """Return the connection, with the fence held of the run that a LangGraph config belongs to; others have none.

    Raises:
        LeaseLost: The run is another claim's by now.
    """
    return guarded(connection, fence_of(config))


def fence_of(config: Mapping[str, Any]) -> Fence | None:
    """Return the fence of the run that a LangGraph config belongs to; None when it belongs to none."""
    return (config.get("configurable") or {}).get(CONFIG_KEY)
