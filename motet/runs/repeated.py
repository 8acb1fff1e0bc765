"""Requests that are sent twice: an idempotency key is one run, and each owner's keys are its own.

What does not live here: what makes two requests the same (`submit` gives the hash).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.errors import Conflict
from motet.runs.request import Accepted
from motet.storage.tables import runs

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from motet.runs.request import RunRequest


def earlier_run(
    connection: Connection, request: RunRequest, request_hash: str
) -> tuple[Accepted | None, str | None]:
    """Return the run that an idempotency key has begun already, and the form in which a new run's key is stored.

    A key that another owner of the tenant has used stays free: it is stored with its owner's name. Who uses it
    hears nothing of the other's run.

    Raises:
        Conflict: The caller used the key for another request.
    """
    caller, key = request.caller, request.idempotency_key
    if key is None:
        return None, None
    own = json.dumps([caller.owner_id, key])
    if (
        connection.dialect.name == "postgresql"
    ):  # two at once would both find none; SQLite has one writer anyway
        connection.execute(_LOCK, {"named": f"{caller.tenant_id}\n{key}"})
    found = connection.execute(_FIND, {"of_tenant": caller.tenant_id, "forms": [key, own]}).all()
    mine = next((row for row in found if row.owner_id == caller.owner_id), None)
    if mine is None:
        taken = {row.idempotency_key for row in found}
        if own in taken:
            raise Conflict(f"The idempotency key '{key}' cannot be used: choose another.")
        return None, own if key in taken else key
    if mine.request_hash != request_hash:
        raise Conflict(f"The idempotency key '{key}' was used for another request (run {mine.run_id}).")
    return Accepted(run_id=mine.run_id, thread_id=mine.thread_id, created=False), None


_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("named"), 0)))
_FIND = sa.select(
    runs.c.run_id, runs.c.thread_id, runs.c.owner_id, runs.c.idempotency_key, runs.c.request_hash
).where(
    runs.c.tenant_id == sa.bindparam("of_tenant"),
    runs.c.idempotency_key.in_(sa.bindparam("forms", expanding=True)),
)
