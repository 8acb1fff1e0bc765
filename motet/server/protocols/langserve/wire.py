"""The routes of LangServe's wire, each also below `/c/{config_hash}/`. Every call is a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from motet.errors import InvalidInput, UserError
from motet.runs import shapes
from motet.runs.request import RunRequest
from motet.server.plain import PlainAnswer
from motet.server.protocols.base import Route, Wire
from motet.server.protocols.langserve.callbacks import CalledBack
from motet.server.protocols.langserve.decode import (
    check_input,
    drive_of,
    read_configurable,
    read_input,
    unpack,
)
from motet.server.protocols.langserve.encode import Callbacks, Chunks, Filter, Log, Output
from motet.server.protocols.langserve.playground import page
from motet.server.sse import EventStream
from motet.server.waiting import read_to_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.responses import Response

    from motet.runs.drive import RecordMode
    from motet.runs.request import Accepted
    from motet.server.call import Call
    from motet.server.errors import Problem
    from motet.server.protocols.base import Method, Scope

MAX_BATCH = 100
Names = list[str] | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")

    config: Any = None
    kwargs: Any = None
    """Passed over: a graph has no keyword arguments."""


class InvokeBody(_Body):
    """What `/invoke` and `/stream` take."""

    input: Any


class BatchBody(_Body):
    """What `/batch` takes; one config for all, or one for each."""

    inputs: list[Any] = Field(max_length=MAX_BATCH)


class EventsBody(InvokeBody):
    """What `/stream_events` and `/stream_log` take."""

    include_names: Names = None
    include_types: Names = None
    include_tags: Names = None
    exclude_names: Names = None
    exclude_types: Names = None
    exclude_tags: Names = None

    def wanted(self) -> Filter:
        """Return which callback events are wanted."""
        names = [f"{way}_{what}" for way in ("include", "exclude") for what in ("names", "types", "tags")]
        return Filter(**{name: frozenset(getattr(self, name) or ()) for name in names})


async def invoke(call: Call) -> Response:
    """Run a graph and return its output."""
    body = await call.read(InvokeBody)
    accepted = await _submit(call, body.input, body.config, record=_recorded(call))
    output, told = Output(), CalledBack()
    await read_to_end(call, accepted.run_id, lambda one: (output.take(one), told.take(one)))
    if output.error is not None:
        return PlainAnswer({"detail": output.error.get("message")}, 500)
    metadata = {"run_id": accepted.run_id, "feedback_tokens": []}
    more = {"callback_events": told.told} if _recorded(call) else {}
    return PlainAnswer({"output": output.value, "metadata": metadata, **more})


async def batch(call: Call) -> Response:
    """Run a graph for several inputs, side by side."""
    body = await call.read(BatchBody)
    configs = body.config if isinstance(body.config, list) else [body.config] * len(body.inputs)
    if len(configs) != len(body.inputs):
        raise InvalidInput(
            f"Number of configs ({len(configs)}) must match number of inputs ({len(body.inputs)})"
        )
    record = _recorded(call)
    asked = [await _request(call, *one, record=record) for one in zip(body.inputs, configs, strict=True)]
    accepted = [await call.desk.submit(one) for one in asked]
    outputs, tolds = [Output() for _ in accepted], [CalledBack() for _ in accepted]
    for one, output, told in zip(accepted, outputs, tolds, strict=True):
        await read_to_end(call, one.run_id, lambda r, o=output, t=told: (o.take(r), t.take(r)))
    failed = next((output.error for output in outputs if output.error is not None), None)
    if failed is not None:
        return PlainAnswer({"detail": failed.get("message")}, 500)
    responses = [{"run_id": one.run_id, "feedback_tokens": []} for one in accepted]
    metadata = {"responses": responses, "run_ids": [one.run_id for one in accepted]}
    more = {"callback_events": [told.told for told in tolds]} if record else {}
    return PlainAnswer({"output": [output.value for output in outputs], "metadata": metadata, **more})


async def stream(call: Call) -> Response:
    """Run a graph and stream what each node changes."""
    body = await call.read(InvokeBody)
    accepted = await _submit(call, body.input, body.config, record=["updates"])
    return _streamed(call, accepted, Chunks(accepted.run_id))


async def stream_events(call: Call) -> Response:
    """Run a graph and stream LangChain's callback events."""
    body = await call.read(EventsBody)
    accepted = await _submit(call, body.input, body.config, record=["events", "updates"])
    return _streamed(call, accepted, Callbacks(body.wanted()))


async def stream_log(call: Call) -> Response:
    """Run a graph and stream patches of a document about the run."""
    body = await call.read(EventsBody)
    accepted = await _submit(call, body.input, body.config, record=["events", "updates"])
    return _streamed(call, accepted, Log(accepted.run_id, body.wanted()))


class TokenFeedbackBody(BaseModel):
    """What `/token_feedback` takes."""

    token_or_url: str
    score: float | int | bool | None = None
    value: float | int | bool | str | dict[str, Any] | None = None
    comment: str | None = None
    correction: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


async def token_feedback(call: Call) -> Response:
    """Refuse feedback, as LangServe's own server does without LangSmith: no answer brought a token for it."""
    await call.read(TokenFeedbackBody)
    raise UserError("There is no LangSmith here, and no answer brings a feedback token.")


async def input_schema(call: Call) -> Response:
    """Return the JSON Schema of a graph's input."""
    _check_hash(call)
    return PlainAnswer(shapes.input_schema(await call.desk.graph(_graph(call))) or {})


async def output_schema(call: Call) -> Response:
    """Return the JSON Schema of a graph's output."""
    _check_hash(call)
    return PlainAnswer(shapes.output_schema(await call.desk.graph(_graph(call))) or {})


async def config_schema(call: Call) -> Response:
    """Return the JSON Schema of what a config may set: the fields of the graph's context."""
    _check_hash(call)
    configurable: dict[str, Any] = {"type": "object"}
    configurable |= shapes.context_schema(await call.desk.graph(_graph(call))) or {}
    defs = {"$defs": configurable.pop("$defs")} if "$defs" in configurable else {}
    name = f"{_graph(call)}Config"
    return PlainAnswer(
        {**defs, "title": name, "type": "object", "properties": {"configurable": configurable}}
    )


async def playground(call: Call) -> Response:
    """Return a page to try a graph with."""
    _graph(call)
    _check_hash(call)
    return page()


def _recorded(call: Call) -> Sequence[RecordMode]:
    """Return what a run records beside what it always tells, where one answer is waited for."""
    return ["events"] if call.office.settings.callback_events else []


def _graph(call: Call) -> str:
    return call.param("graph")


def _packed(call: Call) -> str | None:
    return call.request.path_params.get("config_hash")


def _check_hash(call: Call) -> None:
    if packed := _packed(call):
        unpack(packed)


async def _submit(call: Call, given: Any, config: Any, *, record: Sequence[RecordMode]) -> Accepted:
    return await call.desk.submit(await _request(call, given, config, record=record))


async def _request(call: Call, given: Any, config: Any, *, record: Sequence[RecordMode]) -> RunRequest:
    graph, configurable, value = _graph(call), read_configurable(config, _packed(call)), read_input(given)
    await _check_input(call, graph, value)
    names = await _context_names(call, graph) if configurable else ()
    return RunRequest(graph=graph, input=value, drive=drive_of(configurable, names, record=record))


async def _check_input(call: Call, graph: str, value: dict[str, Any]) -> None:
    """Refuse an input that a graph cannot take; a graph whose form changed since it was last seen is asked anew."""
    seen = call.office.input_models
    for is_fresh in (False, True):
        if is_fresh or graph not in seen:
            seen[graph] = shapes.input_model(await call.desk.graph(graph))
        try:
            return check_input(seen[graph], value)
        except InvalidInput:
            if is_fresh:
                raise
    return None


async def _context_names(call: Call, graph: str) -> Sequence[str]:
    from motet.runs.drawing import context_names  # noqa: PLC0415  # LangGraph is loaded when it is needed

    return context_names(await call.desk.graph(graph))


def _streamed(call: Call, accepted: Accepted, told: Chunks | Callbacks | Log) -> Response:
    first = told.first if isinstance(told, Chunks) else b""
    return EventStream(
        call, accepted.run_id, told.encode, first=first, last=told.last, cancel_on_disconnect=True,
        heartbeat=b": heartbeat\r\n\r\n",
    )  # fmt: skip


def langserve_error(problem: Problem) -> Response:
    """Return a problem as LangServe does: `detail`, of a body that is not understood a list of places."""
    status = 400 if problem.code == "bad_config_hash" else problem.status
    detail = problem.fields.get("errors") or problem.message
    return PlainAnswer({"detail": detail}, status, dict(problem.headers))


def _routes() -> list[Route]:
    routes: list[Route] = []
    for base, suffix in (("/langserve/{graph}", ""), ("/langserve/{graph}/c/{config_hash}", "_configured")):

        def add(
            method: Method, path: str, endpoint: Callable[[Call], Awaitable[Response]], scope: Scope,
            *, at: str = base, mark: str = suffix, **more: Any,
        ) -> None:  # fmt: skip
            name = f"langserve.{endpoint.__name__}{mark}"
            summary = (endpoint.__doc__ or "").rstrip(".")
            routes.append(Route(method, f"{at}/{path}", name, scope, endpoint, summary, **more))

        add("POST", "invoke", invoke, "runs:write", body=InvokeBody, errors=(400, 409))
        add("POST", "batch", batch, "runs:write", body=BatchBody, errors=(400, 409))
        add("POST", "stream", stream, "runs:write", body=InvokeBody, media="text/event-stream", errors=(400,))
        add(
            "POST",
            "stream_events",
            stream_events,
            "runs:write",
            body=EventsBody,
            media="text/event-stream",
            errors=(400,),
        )
        add(
            "POST",
            "stream_log",
            stream_log,
            "runs:write",
            body=EventsBody,
            media="text/event-stream",
            errors=(400,),
        )
        add("GET", "input_schema", input_schema, "graphs:read")
        add("GET", "output_schema", output_schema, "graphs:read")
        add("GET", "config_schema", config_schema, "graphs:read")
        add("GET", "playground/", playground, "public", media="text/html")
        if not suffix:
            add("POST", "token_feedback", token_feedback, "runs:write", body=TokenFeedbackBody, errors=(400,))
    return routes


WIRE = Wire(name="langserve", title="LangServe", routes=_routes(), error=langserve_error)
