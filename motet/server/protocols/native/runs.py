"""Runs and their events on Motet's own wire.

What does not live here: threads, documents and memories (`records`). An event is the same flat object that
`motet ask --json` prints; as a server-sent event its id is its number, so a browser's own `EventSource` goes on where
it was.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from motet.errors import NotFound
from motet.runs.budget import Budget
from motet.runs.drive import Drive, RecordMode
from motet.runs.request import (
    MAX_STEPS,
    Multitask,
    Permissions,
    RunOptions,
    RunRecord,
    RunRequest,
    Webhook,
)
from motet.server.plain import PlainAnswer, json_text
from motet.server.protocols.base import Route
from motet.server.sse import EventStream, check_place, frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from motet.events import Recorded
    from motet.server.call import Call
    from motet.server.desk import Desk

PREFIX = "/motet/v1"


ModelText = Annotated[str, Field(max_length=300)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskedOptions(_Asked):
    """What a caller may choose for one run; the settings' choice where nothing is said."""

    model: str | None = Field(default=None, max_length=300)
    models: dict[str, ModelText] | None = Field(default=None, max_length=50)
    """Models of single roles and agents, by name."""
    budget: Budget | None = None
    tools: list[str] | None = Field(default=None, max_length=100)
    collections: list[str] | None = Field(default=None, max_length=100)
    permissions: Permissions | None = None
    """Rules on its tool calls besides the settings'."""
    untrusted: bool | None = None
    """Whether its input is not its caller's own words."""
    max_steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    max_retries: int | None = Field(default=None, ge=0, le=100)
    record: list[RecordMode] = []
    """Parts of LangGraph's own stream that the run's log keeps as `stream.part`."""


class AskedRun(_Asked):
    """A new run: an input, or the answer to what a thread waits for."""

    graph: str | None = Field(default=None, max_length=128)
    thread_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    create_thread: bool = False
    input: dict[str, Any] | None = None
    resume: Any = None
    answers: dict[str, Any] | None = None
    options: AskedOptions = AskedOptions()
    multitask: Multitask = "enqueue"
    priority: int = Field(default=0, ge=-100, le=100)
    delay_s: float = Field(default=0.0, ge=0, le=366 * 86400, allow_inf_nan=False)
    webhook: str | None = Field(default=None, min_length=1, max_length=4000)
    """An address that is told of the run's end."""
    metadata: dict[str, Any] = {}


class AcceptedRun(BaseModel):
    """The run is on disk."""

    run_id: str
    thread_id: str
    created: bool
    """False when the idempotency key named an earlier run."""


def decode(asked: AskedRun, *, idempotency_key: str | None = None) -> RunRequest:
    """Return the request that a body asks for."""
    given = asked.model_dump(exclude={"options", "webhook"}, exclude_unset=True)
    webhook = None if asked.webhook is None else Webhook(url=asked.webhook, wire="motet")
    # What is not named here stays as it was in the run that an answer goes to.
    options = RunOptions(**asked.options.model_dump(exclude={"record"}, exclude_unset=True))
    drive = Drive(record=asked.options.record)
    return RunRequest(**given, options=options, drive=drive, webhook=webhook, idempotency_key=idempotency_key)


async def told(desk: Desk, run_id: str) -> Any:
    """Return what a webhook says: the run's last event, as the stream has it."""
    run = await desk.run(run_id)
    async for page in desk.pages(run_id, after=max(0, run.last_seq - 1)):
        line = page[-1].to_line()
        at = datetime.fromtimestamp(line["ts"], UTC).isoformat()
        return {"type": line["type"], "timestamp": at, "data": {**line, "graph": run.graph}}
    raise NotFound(f"Run {run_id} has no events any more.")


def encode(recorded: Recorded) -> Iterable[bytes]:
    """Return an event as a server-sent event; its id is its number."""
    line = recorded.to_line()
    yield frame(json_text(line), event=line["type"], event_id=recorded.seq)


async def create_run(call: Call) -> Response:
    """Start a run; 202 and where it is."""
    key = call.header("idempotency-key") or None
    accepted = await call.desk.submit(decode(await call.read(AskedRun), idempotency_key=key))
    where = call.below(f"{PREFIX}/runs/{accepted.run_id}")
    return PlainAnswer(accepted.model_dump(), 202, {"Location": where})


async def get_run(call: Call) -> Response:
    """Return a run as it stands."""
    return PlainAnswer((await call.desk.run(call.param("run_id"))).model_dump(mode="json"))


async def list_runs(call: Call) -> Response:
    """Return runs, the newest first."""
    thread_id = call.query("thread_id") or None
    found = await call.desk.records.runs(thread_id, limit=call.number("limit", 50, least=1))
    return PlainAnswer([run.model_dump(mode="json") for run in found])


async def run_events(call: Call) -> Response:
    """Stream a run's events, from the number after `Last-Event-ID` (or `after`) on, until it ends."""
    run_id = call.param("run_id")
    after = call.after() or call.number("after", 0, most=10**15)
    await check_place(call, run_id, after)
    return EventStream(
        call, run_id, encode, after=after, cancel_on_disconnect=call.query("on_disconnect") == "cancel"
    )


async def cancel_run(call: Call) -> Response:
    """Ask a run to stop; whether it had not ended yet."""
    return PlainAnswer({"asked": await call.desk.cancel(call.param("run_id"))}, 202)


CANCEL = {"type": "object", "properties": {"asked": {"type": "boolean"}}, "required": ["asked"]}
RUNS = f"{PREFIX}/runs"

ROUTES = (
Route(
    "POST", RUNS, "runs.create", "runs:write", create_run, "Start a run",
    body=AskedRun, answer=AcceptedRun, status=202, errors=(409, 410),
),
Route(
    "GET", RUNS, "runs.list", "runs:read", list_runs, "List runs",
    query={"thread_id": "Only those of a thread", "limit": "At most so many, 1 to 1000"},
),
Route("GET", f"{RUNS}/{{run_id}}", "runs.get", "runs:read", get_run, "Look at a run", answer=RunRecord),
Route(
    "GET", f"{RUNS}/{{run_id}}/events", "runs.events", "runs:read", run_events, "Follow a run",
    media="text/event-stream",
    query={
        "after": "Begin after the event of this number; Last-Event-ID says the same",
        "on_disconnect": "`cancel` stops the run when the client leaves",
    },
),
Route(
    "POST", f"{RUNS}/{{run_id}}/cancel", "runs.cancel", "runs:write", cancel_run, "Stop a run",
    answer=CANCEL, status=202,
),
)  # fmt: skip
