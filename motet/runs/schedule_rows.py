"""A schedule's row as it is read: its request and what its maker says, closed where the database is encrypted.

What does not live here: when it is due, and what begins (`schedules`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.errors import StateCorrupt
from motet.runs.request import RunRequest, ScheduleRecord
from motet.storage.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, Row

    from motet.storage.texts import Texts


def close_details(connection: Connection, tenant_id: str, name: str, details: Mapping[str, Any]) -> str:
    """Return what is stored of what a schedule's maker says about it."""
    text = json.dumps(dict(details), ensure_ascii=False)
    return texts_of(connection).close(text, tenant_id, "schedules", name, "details")


def open_request(row: Row[Any], texts: Texts) -> RunRequest:
    """Return the request of a schedule.

    Raises:
        StateCorrupt: It cannot be read.
    """
    text = texts.open(row.request, row.tenant_id, "schedules", row.name)
    try:
        return RunRequest.model_validate_json(text)
    except ValueError:
        raise StateCorrupt(f"The request of schedule '{row.name}' cannot be read.", name=row.name) from None


def record_of(row: Row[Any], texts: Texts) -> ScheduleRecord:
    """Return a schedule as it is shown; one that is damaged has no request, and says why."""
    request, problem, details = None, None, dict[str, Any]()
    try:
        request, details = open_request(row, texts), _details(row, texts)
    except StateCorrupt as error:
        problem = error.message
    return ScheduleRecord(
        name=row.name,
        cron=row.cron,
        zone=row.time_zone,
        missed=row.missed,
        request=request,
        paused=row.paused,
        next_at=row.next_at,
        last_at=row.last_at,
        last_run_id=row.last_run_id,
        error=problem or row.error,
        created_at=row.created_at,
        ends_at=row.ends_at,
        details=details,
    )


def _details(row: Row[Any], texts: Texts) -> dict[str, Any]:
    return json.loads(texts.open(row.details, row.tenant_id, "schedules", row.name, "details"))
