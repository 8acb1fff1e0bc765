"""Runs: begun on a thread or by themselves, watched, waited for, stopped.

What does not live here: what a body means (`decode`) and what events look like (`stream`).
"""

from __future__ import annotations

import uuid
from time import time as now
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet.errors import InvalidInput, NotFound
from motet.events import RunCompleted
from motet.server.call import validate
from motet.server.plain import json_text, utf8
from motet.server.protocols.agent_server import bodies
from motet.server.protocols.agent_server.assistants import assistant_of
from motet.server.protocols.agent_server.decode import decode, modes_of
from motet.server.protocols.agent_server.shapes import answer, failure, identity, missing, run, selected, time
from motet.server.protocols.agent_server.stream import Encoder
from motet.server.protocols.agent_server.threads import stop, thread_of
from motet.server.sse import EventStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.runs.assistants import AssistantRecord
    from motet.runs.lookup import FoundRun
    from motet.runs.request import Accepted, RunStatus
    from motet.server.call import Call
    from motet.server.desk import Desk

Json = dict[str, Any]

STATELESS_TTL_S = 600.0
"""A thread that a stateless run got for itself is deleted so long after its last use: a result can be fetched again."""

MAX_BATCH = 100

FIELDS = frozenset(
    {
        "run_id",
        "thread_id",
        "assistant_id",
        "created_at",
        "updated_at",
        "status",
        "metadata",
        "kwargs",
        "multitask_strategy",
        "cancel_reason",
    }
)

STATUSES: dict[str, Sequence[RunStatus]] = {
    "pending": ("pending",),
    "running": ("running",),
    "error": ("error",),
    "success": ("success", "interrupted"),
    "timeout": (),
    "interrupted": ("cancelled",),
}
"""What this wire calls a status, in Motet's words."""


async def create(call: Call) -> Response:
    """Begin a run on a thread."""
    body = await call.read(bodies.RunBody)
    accepted = await _begin(call, body, await _thread(call, body), record=modes_of(body))
    return answer(await _new(call, accepted), headers=_where(accepted))


async def create_stateless(call: Call) -> Response:
    """Begin a run by itself."""
    body = await call.read(bodies.RunBody)
    accepted = await _begin_alone(call, body, record=modes_of(body))
    return answer(await _new(call, accepted), headers=_where(accepted))


async def create_batch(call: Call) -> Response:
    """Begin several runs. Each is one by itself: those before one that is refused have begun."""
    raw = await call.json()
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_BATCH:  # pyright: ignore[reportUnknownArgumentType]
        raise InvalidInput(f"A list of 1 to {MAX_BATCH} runs was expected.")
    items: list[Any] = raw
    asked = [validate(bodies.BatchRunBody, one) for one in items]
    for body in asked:
        await assistant_of(call, body.assistant_id)
    begun: list[Json] = []
    for number, body in enumerate(asked):
        if body.thread_id is None:
            accepted = await _begin_alone(call, body, record=modes_of(body), number=number)
        else:
            thread_id = await _there(call, body, body.thread_id)
            accepted = await _begin(call, body, thread_id, record=modes_of(body), number=number)
        begun.append(await _new(call, accepted))
    return answer(begun)


async def stream(call: Call) -> Response:
    """Begin a run on a thread, and stream it."""
    body = await call.read(bodies.RunBody)
    accepted = await _begin(call, body, await _thread(call, body), record=modes_of(body))
    return await _stream(call, accepted, modes_of(body), leave=body.on_disconnect)


async def stream_stateless(call: Call) -> Response:
    """Begin a run by itself, and stream it."""
    body = await call.read(bodies.RunBody)
    accepted = await _begin_alone(call, body, record=modes_of(body))
    return await _stream(call, accepted, modes_of(body), leave=body.on_disconnect)


async def wait(call: Call) -> Response:
    """Begin a run on a thread, and return its output when it has ended."""
    body = await call.read(bodies.RunBody)
    accepted = await _begin(call, body, await _thread(call, body))
    return await _output(call, accepted.run_id, leave=body.on_disconnect)


async def wait_stateless(call: Call) -> Response:
    """Begin a run by itself, and return its output when it has ended."""
    body = await call.read(bodies.RunBody)
    accepted = await _begin_alone(call, body)
    return await _output(call, accepted.run_id, leave=body.on_disconnect)


async def list_runs(call: Call) -> Response:
    """List a thread's runs."""
    found = await thread_of(call)
    status = call.query("status")
    if status and status not in STATUSES:
        raise InvalidInput(f"status is {status[:40]!r}; one of {', '.join(STATUSES)} was expected.")
    listed = await call.desk.lookup.runs(
        thread_id=found.thread_id,
        statuses=STATUSES[status] if status else None,
        limit=call.number("limit", 10, least=1),
        offset=call.number("offset", 0, most=10**9),
    )
    wanted = call.request.query_params.getlist("select") or None
    shown = [
        one for one in listed if not one.job.drive.supersteps
    ]  # writes to the state are runs of Motet's alone
    return answer([selected(run(one), wanted, FIELDS) for one in shown])


async def get(call: Call) -> Response:
    """Look at a run."""
    return answer(run(await _of_thread(call)))


async def delete(call: Call) -> Response:
    """Delete a run's record and events; one that has not ended is stopped first."""
    found = await _of_thread(call)
    await stop(call, found.record.run_id)
    await call.desk.maker.forget_run(found.record.run_id)
    return Response(status_code=204)


async def cancel(call: Call) -> Response:
    """Stop a run; with `wait`, return when it has ended."""
    found = await _of_thread(call)
    run_id, undo = found.record.run_id, _action(call) == "rollback"
    where = {"Location": f"{_path(found)}/join", "Content-Location": _path(found)}
    if not await call.desk.cancel(run_id, reason="cancelled", undo=undo):
        raise NotFound(f"Run {run_id} has ended already: there is nothing to cancel.")
    if call.query("wait").lower() not in ("1", "true"):
        return answer({}, 202, where)
    return _Waiting(call, run_id, _nothing, headers=where)


async def cancel_many(call: Call) -> Response:
    """Stop runs of a thread by their ids, or all of one status."""
    asked = await call.read(bodies.CancelBody)
    if (asked.status is None) == (asked.thread_id is None or not asked.run_ids):
        raise InvalidInput("Either thread_id with run_ids, or a status was expected.")
    undo = _action(call) == "rollback"
    statuses: dict[str, Sequence[RunStatus]] = {"pending": ("pending",), "running": ("running",)}
    listed = await call.desk.lookup.runs(
        thread_id=asked.thread_id,
        run_ids=asked.run_ids,
        statuses=statuses.get(asked.status or "all", ("pending", "running")),
        limit=1000,
    )
    if not listed:
        raise NotFound("No runs found to cancel.")
    for one in listed:
        await call.desk.cancel(one.record.run_id, reason="cancelled", undo=undo)
    return Response(status_code=204)


async def join(call: Call) -> Response:
    """Return a run's output when it has ended."""
    found = await _of_thread(call)
    leave = "cancel" if call.query("cancel_on_disconnect").lower() in ("1", "true") else None
    return await _output(call, found.record.run_id, leave=leave)


async def join_stream(call: Call) -> Response:
    """Stream a run, from the event after `Last-Event-ID` on."""
    found = await _of_thread(call) if "thread_id" in call.request.path_params else await _by_itself(call)
    asked = [mode for mode in call.request.query_params.getlist("stream_mode") if mode]
    wanted = validate(bodies.Modes, {"stream_mode": asked}).stream_mode or None
    leave = "cancel" if call.query("cancel_on_disconnect").lower() in ("1", "true") else None
    return _streamed(call, found, wanted, leave=leave)


async def begin_on(call: Call, body: bodies.RunBody, record: Sequence[str]) -> Accepted:
    """Begin a run on the thread of the path, which records modes of streams.

    Raises:
        NotFound: The thread is not there and the body does not say that it is to be made.
    """
    return await _begin(call, body, await _thread(call, body), record=record)


async def _begin(
    call: Call,
    body: bodies.RunBody,
    thread_id: str,
    *,
    record: Sequence[str] = (),
    number: int = 0,
    **more: Any,
) -> Accepted:
    """Start a run, and note on its thread which graph it is of."""
    assistant = await assistant_of(call, body.assistant_id)
    request = decode(
        body,
        assistant,
        thread_id=thread_id,
        context_names=await context_names_of(call, body, assistant),
        record=record,
        idempotency_key=_key(call, number),
        **{"create_thread": body.if_not_exists == "create", **more},
    )
    accepted = await call.desk.submit(request)
    found = await call.desk.lookup.thread(accepted.thread_id)
    ids = {"graph_id": assistant.graph, "assistant_id": assistant.assistant_id}
    if found is not None and not ids.items() <= found.metadata.items():
        await call.desk.maker.note(accepted.thread_id, ids)
    return accepted


async def _begin_alone(
    call: Call, body: bodies.RunBody, *, record: Sequence[str] = (), number: int = 0
) -> Accepted:
    """Start a run on a thread of its own, which goes when it is not needed any more."""
    key = _key(call, number)
    named = f"{call.desk.caller.tenant_id}\n{call.desk.caller.owner_id}\n{key}"
    own = str(uuid.uuid4()) if key is None else str(uuid.uuid5(uuid.NAMESPACE_URL, named))
    ttl_s = None if body.on_completion == "keep" else STATELESS_TTL_S
    kept: Json = {"create_thread": True, "thread_ttl_s": ttl_s}
    return await _begin(call, body, own, record=record, number=number, **kept)


async def context_names_of(call: Call, body: bodies.RunBody, assistant: AssistantRecord) -> Sequence[str]:
    """Return the names of the graph's context, where a config says something that may be meant for it."""
    from motet.runs.drawing import context_names  # noqa: PLC0415  # LangGraph is loaded when it is needed

    asked = body.config.configurable if body.config is not None else None
    if body.context or not (asked or assistant.config.get("configurable")):
        return ()
    return context_names(await call.desk.graph(assistant.graph))


def _key(call: Call, number: int) -> str | None:
    key = call.header("idempotency-key")
    return f"{key}#{number}" if key and number else key or None


async def _thread(call: Call, body: bodies.RunBody) -> str:
    return await _there(call, body, identity(call, "thread_id"))


async def _there(call: Call, body: bodies.RunBody, thread_id: str) -> str:
    """Return a thread's id; it is there, or the run makes it."""
    if body.if_not_exists != "create" and await call.desk.lookup.thread(thread_id) is None:
        raise missing("Thread", thread_id)
    return thread_id


async def _run(desk: Desk, run_id: str) -> FoundRun:
    found = await desk.lookup.run(run_id)
    if found is None:
        raise missing("Run", run_id)
    return found


async def _new(call: Call, accepted: Accepted) -> Json:
    return run(await _run(call.desk, accepted.run_id), is_new=accepted.created)


async def _of_thread(call: Call) -> FoundRun:
    """Return the run of the path, which is of the thread of the path."""
    thread_id, run_id = identity(call, "thread_id"), identity(call, "run_id")
    found = await _run(call.desk, run_id)
    if found.record.thread_id != thread_id:
        raise missing("Run", run_id)
    return found


async def _by_itself(call: Call) -> FoundRun:
    return await _run(call.desk, identity(call, "run_id"))


def _path(found: FoundRun) -> str:
    return f"/threads/{found.record.thread_id}/runs/{found.record.run_id}"


def _where(accepted: Accepted) -> dict[str, str]:
    return {"Content-Location": f"/threads/{accepted.thread_id}/runs/{accepted.run_id}"}


def _action(call: Call) -> str:
    action = call.query("action", "interrupt")
    if action not in ("interrupt", "rollback"):
        raise InvalidInput(f"action is {action[:40]!r}; interrupt or rollback was expected.")
    return action


async def _stream(call: Call, accepted: Accepted, modes: Sequence[str], *, leave: str | None) -> Response:
    return _streamed(call, await _run(call.desk, accepted.run_id), modes, leave=leave)


def _streamed(call: Call, found: FoundRun, modes: Sequence[str] | None, *, leave: str | None) -> Response:
    encoder = Encoder(found, modes, call.header("last-event-id"))
    if encoder.seen > found.record.last_seq:
        raise InvalidInput(f"Run {found.record.run_id} has no event {encoder.seen} to go on from yet.")
    return EventStream(
        call,
        found.record.run_id,
        encoder.encode,
        after=encoder.after,
        cancel_on_disconnect=leave == "cancel",
        heartbeat=b": heartbeat\r\n\r\n",
        headers={"Location": f"{_path(found)}/stream", "Content-Location": _path(found)},
    )


async def _output(call: Call, run_id: str, *, leave: str | None) -> Response:
    found = await _run(call.desk, run_id)
    where = {"Location": f"{_path(found)}/join", "Content-Location": _path(found)}
    return _Waiting(call, run_id, lambda: _ended(call, run_id), leave=leave, headers=where)


async def _ended(call: Call, run_id: str) -> bytes:
    """Return what a run that has ended left: its output, what it asks, or what went wrong."""
    found = await _run(call.desk, run_id)
    if found.record.status == "error":
        shown: Any = {"__error__": failure(found.record.error)}
    else:
        shown = await _left(call.desk, found)
    return utf8(json_text(shown, compact=True))


async def _left(desk: Desk, found: FoundRun) -> Any:
    """Return the state that a run left, with what it asks."""
    record = found.record
    shown, asked = await desk.states.outcome(record.graph, record.thread_id, record.run_id)
    if shown is None and record.status == "success":
        shown = await _told_output(desk, record.run_id)
    return {**shown, "__interrupt__": asked} if asked and isinstance(shown, dict) else shown


async def _told_output(desk: Desk, run_id: str) -> Json | None:
    """Return the output that a run told: one that was stopped at a limit stored no state."""
    async for page in desk.pages(run_id):
        for recorded in page:
            if isinstance(recorded.event, RunCompleted):
                return recorded.event.output
    return None


async def told(desk: Desk, run_id: str) -> Json:
    """Return what a webhook says: the run as it ended, with its output or what went wrong."""
    found = await _run(desk, run_id)
    failed = found.record.status == "error"
    return {
        **run(found),
        "run_started_at": time(found.record.started_at),
        "run_ended_at": time(found.record.ended_at),
        "webhook_sent_at": time(now()),
        "values": None if failed else await _left(desk, found),
        "error": failure(found.record.error),
    }


async def _nothing() -> bytes:
    return b"{}"


class _Waiting(EventStream):
    """Waits for a run's end, then answers in JSON; a newline now and then keeps the connection."""

    def __init__(
        self, call: Call, run_id: str, made: Any, *, leave: str | None = None, headers: dict[str, str]
    ) -> None:
        super().__init__(
            call,
            run_id,
            lambda _: (),
            last=made,
            cancel_on_disconnect=leave == "cancel",
            heartbeat=b"\n",
            headers=headers,
            media_type="application/json",
        )
