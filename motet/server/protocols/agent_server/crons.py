"""Crons: runs that begin by the clock. Each is one of Motet's schedules, named by its id.

What does not live here: when an expression fires (`motet.runs.cron`).
"""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet.errors import NotFound
from motet.server.call import validate
from motet.server.protocols.agent_server import bodies
from motet.server.protocols.agent_server.assistants import assistant_of
from motet.server.protocols.agent_server.decode import decode, modes_of
from motet.server.protocols.agent_server.runs import STATELESS_TTL_S, context_names_of
from motet.server.protocols.agent_server.shapes import answer, identity, page, selected, time
from motet.server.protocols.agent_server.threads import thread_of

if TYPE_CHECKING:
    from datetime import datetime

    from motet.runs.request import RunRequest, ScheduleRecord
    from motet.server.call import Call

Json = dict[str, Any]

WIRE = "agent_server"
"""Marks a schedule as one of this wire's: no other is shown or changed here."""

FIELDS = frozenset(
    {
        "cron_id",
        "assistant_id",
        "thread_id",
        "on_run_completed",
        "end_time",
        "schedule",
        "timezone",
        "created_at",
        "updated_at",
        "user_id",
        "payload",
        "next_run_date",
        "metadata",
        "now",
        "enabled",
    }
)

_KEPT = frozenset(
    {"input", "config", "context", "metadata", "interrupt_before", "interrupt_after", "webhook"}
)


async def create(call: Call) -> Response:
    """Keep a run, and begin it on a thread of its own at every tick."""
    return answer(_cron(await _make(call, None)))


async def create_on_thread(call: Call) -> Response:
    """Keep a run, and begin it on one thread at every tick."""
    return answer(_cron(await _make(call, (await thread_of(call)).thread_id)))


async def get(call: Call) -> Response:
    """Look at a cron."""
    return answer(_cron(await _one(call)))


async def update(call: Call) -> Response:
    """Say something new about a cron."""
    old, asked = await _one(call), await call.read(bodies.CronPatch)
    said = asked.model_dump(exclude_unset=True, mode="json")
    details = old.details
    payload: Json = details["payload"] | said
    changed = {**details, "payload": payload}
    if asked.on_run_completed is not None:
        changed["on_run_completed"] = asked.on_run_completed
    values: Json = {"details": changed}
    if "end_time" in asked.model_fields_set:
        values["ends_at"] = _at(asked.end_time)
    if asked.enabled is not None:
        values["paused"] = not asked.enabled
    request = None
    if said.keys() & _KEPT or asked.on_run_completed is not None:
        body = validate(bodies.CronBody, payload)
        request = await _request(call, body, _thread_id(old))
    made = await call.desk.schedules.change(
        old.name, cron=asked.schedule, zone=asked.timezone, request=request, **values
    )
    return answer(_cron(made))


async def delete(call: Call) -> Response:
    """Delete a cron; its runs stay."""
    await call.desk.schedules.delete((await _one(call)).name)
    return Response(status_code=204)


async def search(call: Call) -> Response:
    """List crons."""
    asked = await call.read(bodies.CronSearch)
    selected({}, asked.select, FIELDS)
    found = await _found(call, asked)
    if asked.enabled is not None:
        found = [one for one in found if one.paused != asked.enabled]
    found.sort(key=lambda one: one.created_at, reverse=asked.sort_order != "asc")
    shown = found[asked.offset : asked.offset + asked.limit]
    return answer(
        [selected(_cron(one), asked.select, FIELDS) for one in shown],
        headers=page(shown, asked.limit, asked.offset),
    )


async def count(call: Call) -> Response:
    """Count crons."""
    return answer(len(await _found(call, await call.read(bodies.CronCount))))


async def _make(call: Call, thread_id: str | None) -> ScheduleRecord:
    body = await call.read(bodies.CronBody)
    request = await _request(call, body, thread_id)
    details: Json = {
        "wire": WIRE,
        "payload": body.model_dump(exclude_unset=True, mode="json"),
        "on_run_completed": (body.on_run_completed or "delete") if thread_id is None else None,
        "owner_id": call.desk.caller.owner_id,
    }
    made = await call.desk.schedules.add(
        body.schedule,
        request,
        zone=body.timezone or "UTC",
        name=str(uuid.uuid4()),
        ends_at=_at(body.end_time),
        details=details,
    )
    return made if body.enabled else await call.desk.schedules.pause(made.name)


async def _request(call: Call, body: bodies.CronBody, thread_id: str | None) -> RunRequest:
    assistant = await assistant_of(call, body.assistant_id)
    more: Json = {}
    if thread_id is None and body.on_run_completed != "keep":
        more["thread_ttl_s"] = STATELESS_TTL_S
    names = await context_names_of(call, body, assistant)
    request = decode(body, assistant, thread_id=thread_id, context_names=names, record=modes_of(body), **more)
    return request.model_copy(update={"caller": call.desk.caller})


async def _one(call: Call) -> ScheduleRecord:
    """Return the cron of the path.

    Raises:
        NotFound: There is none, it is another's, or it was not made by this wire.
    """
    cron_id = identity(call, "cron_id")
    found = next((one for one in await call.desk.schedules.list() if one.name == cron_id), None)
    if found is None or not _mine(call, found):
        raise NotFound(f"Cron with ID {cron_id} not found")
    return found


async def _found(call: Call, asked: bodies.CronCount) -> list[ScheduleRecord]:
    found = [one for one in await call.desk.schedules.list() if _mine(call, one)]
    if asked.thread_id is not None:
        found = [one for one in found if _thread_id(one) == asked.thread_id]
    if asked.assistant_id is not None:
        wanted = (await assistant_of(call, asked.assistant_id)).assistant_id
        found = [one for one in found if _assistant_id(one) == wanted]
    if asked.metadata:
        said = asked.metadata.items()
        found = [one for one in found if said <= (one.details["payload"].get("metadata") or {}).items()]
    return found


def _mine(call: Call, one: ScheduleRecord) -> bool:
    if one.details.get("wire") != WIRE:
        return False
    caller = call.desk.caller
    return bool(caller.scopes & {"*", "admin"}) or one.details.get("owner_id") == caller.owner_id


def _thread_id(one: ScheduleRecord) -> str | None:
    """Return the thread that a cron's runs belong to; None for none, and where its request cannot be read."""
    return one.request.thread_id if one.request is not None else None


def _assistant_id(one: ScheduleRecord) -> str | None:
    """Return the assistant that a cron asks; None where its request cannot be read."""
    return one.request.metadata.get("assistant_id") if one.request is not None else None


def _at(when: datetime | None) -> float | None:
    """Return unix seconds; a time without a zone is one in UTC."""
    if when is None:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _cron(one: ScheduleRecord) -> Json:
    details = one.details
    payload: Json = details["payload"]
    assistant_id = _assistant_id(one)
    return {
        "cron_id": one.name,
        "assistant_id": assistant_id,
        "thread_id": _thread_id(one),
        "on_run_completed": details.get("on_run_completed"),
        "end_time": time(one.ends_at),
        "schedule": one.cron,
        "timezone": payload.get("timezone"),
        "created_at": time(one.created_at),
        "updated_at": time(one.last_at or one.created_at),
        "payload": payload | {"assistant_id": assistant_id},
        "user_id": details.get("owner_id"),
        "next_run_date": time(one.next_at),
        "metadata": payload.get("metadata") or {},
        "enabled": not one.paused,
    }
