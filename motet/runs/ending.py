"""Ends a run that no worker has, and asks those that one has to stop; on a connection, in the caller's transaction.

What does not live here: the end of a run that a worker works on; that is the log's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.events import RunCancelledEvent, RunFailed
from motet.memory import transcript
from motet.runs.log import sql as log
from motet.storage.tables import runs

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def close(connection: Connection, row: Any, event: RunFailed | RunCancelledEvent) -> None:
    """End a run with its last event. Whoever still holds its lease can write nothing more.

    Args:
        connection: In a transaction that keeps others from changing the row.
        row: The run's row of `runs`.
        event: How it ends; one that undoes takes the run's messages out of the transcript.
    """
    last_seq = connection.execute(
        sa.update(runs)
        .where(runs.c.position == row.position)
        .values(last_seq=runs.c.last_seq + 1, fence=runs.c.fence + 1, **log.ending(connection, row, event))
        .returning(runs.c.last_seq)
    ).scalar_one()
    log.insert(connection, row.tenant_id, row.run_id, last_seq, [log.encode_one(event)])
    if isinstance(event, RunCancelledEvent) and event.undone:
        transcript.delete_run(connection, row.tenant_id, row.thread_id, row.run_id)


def ask_to_stop(connection: Connection, row: Any, *, reason: str, undo: bool = False) -> None:
    """Stop a run that has not ended: at once when no worker has it, by a flag on its row when one has.

    With `undo` its effects on the thread are taken back too. A run that has begun has left checkpoints: a worker
    deletes those before the run ends, so such a run is claimed once more.
    """
    undo = undo or bool(row.undo)
    if row.status == "pending" and not (undo and row.started_at is not None):
        close(connection, row, RunCancelledEvent(reason=reason, undone=undo))
        return
    connection.execute(
        sa.update(runs)
        .where(runs.c.position == row.position)
        .values(cancel_requested=True, not_before=0, undo=undo)
    )
