"""Threads that a door makes, changes or clears away without a run.

What does not live here: forks, rewinds, tags and deletion (`service`).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput
from motet.runs.records import ACTIVE, lock_thread, unknown_thread
from motet.storage.clock import db_now
from motet.storage.tables import runs, threads
from motet.storage.terms import write_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from motet.runs.request import Caller
    from motet.storage.engine import Database

MAX_METADATA_BYTES = 64 * 1024


class Maker:
    """Makes threads of one caller's, and changes what is noted about them."""

    def __init__(self, database: Database, caller: Caller) -> None:
        self._database = database
        self._caller = caller

    async def make(
        self,
        *,
        thread_id: str | None = None,
        graph: str = "",
        metadata: Mapping[str, Any] | None = None,
        ttl_s: float | None = None,
        keep: bool = False,
    ) -> str:
        """Make a thread without a run, and return its id; with `keep`, one that is there already stays as it is.

        Raises:
            Conflict: There is one of this id.
            InvalidInput: The metadata is too large.
        """
        new_id, noted = thread_id or str(uuid.uuid4()), _json(metadata or {})

        def work(connection: Connection) -> None:
            row = lock_thread(connection, self._caller.tenant_id, new_id)
            if row is not None:
                if keep and self._may_use(row.owner_id):
                    return
                raise Conflict(f"Thread with ID {new_id} already exists", thread_id=new_id)
            connection.execute(
                sa.insert(threads).values(
                    tenant_id=self._caller.tenant_id,
                    thread_id=new_id,
                    owner_id=self._caller.owner_id,
                    title="",
                    graph=graph,
                    metadata=noted,
                    created_at=db_now(),
                    updated_at=db_now(),
                    ttl_s=ttl_s,
                )
            )
            write_terms(connection, self._caller.tenant_id, new_id, metadata or {})

        await self._database.write(work)
        return new_id

    async def note(self, thread_id: str, metadata: Mapping[str, Any]) -> None:
        """Add to what is noted about a thread.

        Raises:
            NotFound: There is no such thread, or it is another's.
            InvalidInput: The metadata is too large.
        """

        def work(connection: Connection) -> None:
            row = lock_thread(connection, self._caller.tenant_id, thread_id)
            if row is None or not self._may_use(row.owner_id):
                raise unknown_thread(thread_id)
            said = {**json.loads(row.metadata), **metadata}
            noted = _json(said)
            one = sa.and_(threads.c.tenant_id == row.tenant_id, threads.c.thread_id == thread_id)
            connection.execute(sa.update(threads).where(one).values(metadata=noted, updated_at=db_now()))
            write_terms(connection, row.tenant_id, thread_id, said)

        await self._database.write(work)

    async def forget_run(self, run_id: str) -> None:
        """Delete the record and the events of a run that has ended; what it did to its thread stays.

        Raises:
            Conflict: It has not ended.
        """
        one = sa.and_(runs.c.tenant_id == self._caller.tenant_id, runs.c.run_id == run_id)

        def work(connection: Connection) -> None:
            row = connection.execute(sa.select(runs.c.status).where(one).with_for_update()).first()
            if row is not None and row.status in ACTIVE:
                raise Conflict(f"Run {run_id} has not ended: stop it first.", run_id=run_id)
            connection.execute(sa.delete(runs).where(one))

        await self._database.write(work)

    def _may_use(self, owner_id: str) -> bool:
        return bool(self._caller.scopes & {"*", "admin"}) or owner_id == self._caller.owner_id


def _json(metadata: Mapping[str, Any]) -> str:
    text = json.dumps(metadata, ensure_ascii=False)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_METADATA_BYTES:
        raise InvalidInput(f"The metadata has {size} bytes; at most {MAX_METADATA_BYTES} are taken.")
    return text
