"""Taking words out of the logs of runs that have ended. The events stay, with their numbers: nothing is renumbered.

What does not live here: whose words (`motet.app` knows), and the logs' ordinary life (`log`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.events import EVENT, MemoryWritten
from motet.storage.tables import events
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection


def erase_memories(connection: Connection, tenant_id: str, memories: Iterable[tuple[str, str]]) -> None:
    """Empty the text of the events that told of these memories, `(run_id, memory_id)` each."""
    texts = texts_of(connection)
    for run_id, memory_id in memories:
        one = sa.and_(events.c.tenant_id == tenant_id, events.c.run_id == run_id)
        for seq, stored in connection.execute(sa.select(events.c.seq, events.c.event).where(one)).all():
            event = EVENT.validate_json(texts.open(stored, tenant_id, "events", run_id, seq))
            if isinstance(event, MemoryWritten) and event.memory_id == memory_id:
                emptied = EVENT.dump_json(event.model_copy(update={"text": "", "before": ""})).decode()
                closed = texts.close(emptied, tenant_id, "events", run_id, seq)
                connection.execute(sa.update(events).where(one, events.c.seq == seq).values(event=closed))
