"""The routes of OpenAI's wire, below `/v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.errors import Conflict, InvalidInput, NotFound
from motet.runs.request import RunRequest
from motet.server.plain import PlainAnswer
from motet.server.protocols.base import Route, Wire
from motet.server.protocols.openai import chat, responses, talk
from motet.server.sse import EventStream, check_place
from motet.server.waiting import read_to_end

if TYPE_CHECKING:
    from starlette.responses import Response

    from motet.runs.request import Accepted, RunRecord
    from motet.server.call import Call

ANY: dict[str, Any] = {"type": "object"}


def _model(name: str) -> dict[str, Any]:
    return {"id": f"{talk.OWNER}/{name}", "object": "model", "created": 0, "owned_by": talk.OWNER}


async def list_models(call: Call) -> Response:
    """Return every graph as a model."""
    return PlainAnswer({"object": "list", "data": [_model(name) for name in call.desk.graphs()]})


async def get_model(call: Call) -> Response:
    """Return one graph as a model."""
    name = str(call.request.path_params["model"])
    return PlainAnswer(_model(talk.graph_of(call.desk, name)))


async def create_completion(call: Call) -> Response:
    """Answer a conversation."""
    body = await call.read(chat.ChatBody)
    if body.stream:
        call.check_streams()
    graph = talk.graph_of(call.desk, body.model)
    waits = body.thread_id is not None and await _waits(call, body.thread_id)
    accepted = await _submit(call, graph, chat.decode(body, waits=waits))
    fold = chat.Chat(body.model, usage_wanted=bool((body.stream_options or {}).get("include_usage")))
    headers = _headers(accepted)
    if body.stream:
        return EventStream(
            call, accepted.run_id, fold.encode, last=fold.last, cancel_on_disconnect=True, headers=headers
        )
    await read_to_end(call, accepted.run_id, lambda recorded: list(fold.encode(recorded)))
    if fold.error is not None:
        return PlainAnswer(
            fold.error, 409 if fold.error["error"]["code"] == "run_cancelled" else 500, headers
        )
    return PlainAnswer(fold.completion(), headers=headers)


async def create_response(call: Call) -> Response:
    """Begin a response, or go on with a conversation."""
    body = await call.read(responses.ResponseBody)
    if body.stream:
        call.check_streams()
    graph = talk.graph_of(call.desk, body.model)
    where: dict[str, Any] = {}
    waits = False
    if body.previous_response_id is not None:
        before = await _run(call, body.previous_response_id)
        waits = before.status == "interrupted"
        where = {"thread_id": await _thread_after(call, before)}
    accepted = await _submit(call, graph, responses.decode(body, waits=waits) | where)
    fold = responses.Response(accepted.run_id, body.model, body.model_dump())
    headers = _headers(accepted)
    if body.stream:
        return EventStream(
            call, accepted.run_id, fold.encode, cancel_on_disconnect=not body.background, headers=headers
        )
    if not body.background:
        await read_to_end(call, accepted.run_id, fold.take)
        return PlainAnswer(fold.value, headers=headers)
    return PlainAnswer(await _folded(call, accepted.run_id, fold), headers=headers)


async def get_response(call: Call) -> Response:
    """Return a response as it stands, or stream it, from a place on."""
    run = await _run(call, call.param("response_id"))
    after = -1
    if call.query("starting_after"):
        after = call.number("starting_after", -1, least=-1, most=10**15)
    before = [
        other
        for other in await call.desk.records.runs(run.thread_id, limit=1000)
        if other.created_at < run.created_at
    ]
    asked = {"previous_response_id": responses.PREFIX + before[0].run_id if before else None}
    fold = responses.Response(run.run_id, f"{talk.OWNER}/{run.graph}", asked, after=after)
    if call.query("stream").lower() == "true":
        await check_place(call, run.run_id, 0)
        return EventStream(call, run.run_id, fold.encode)
    return PlainAnswer(await _folded(call, run.run_id, fold))


async def cancel_response(call: Call) -> Response:
    """Stop a response, and return it as it stands then."""
    run = await _run(call, call.param("response_id"))
    if await call.desk.cancel(run.run_id):
        await read_to_end(call, run.run_id, lambda _: None, cancel_on_disconnect=False)
    return await get_response(call)


async def delete_response(call: Call) -> Response:
    """Delete a response, with its thread: one that is part of a longer conversation cannot be taken out of it."""
    run = await _run(call, call.param("response_id"))
    others = [
        other for other in await call.desk.records.runs(run.thread_id, limit=2) if other.run_id != run.run_id
    ]
    if others:
        raise Conflict("This response is part of a conversation. Delete its thread to delete all of it.")
    await call.desk.threads.delete(run.thread_id)
    return PlainAnswer({"id": responses.PREFIX + run.run_id, "object": "response", "deleted": True})


async def _submit(call: Call, graph: str, fields: dict[str, Any]) -> Accepted:
    key = call.header("idempotency-key") or None
    return await call.desk.submit(RunRequest(graph=graph, idempotency_key=key, **fields))


def _headers(accepted: Accepted) -> dict[str, str]:
    return {"X-Motet-Run-Id": accepted.run_id, "X-Motet-Thread-Id": accepted.thread_id}


async def _run(call: Call, response_id: str) -> RunRecord:
    if not response_id.startswith(responses.PREFIX):
        raise NotFound(f"Response with id '{response_id[:100]}' not found.", param="previous_response_id")
    try:
        return await call.desk.run(response_id.removeprefix(responses.PREFIX))
    except NotFound:
        raise NotFound(f"Response with id '{response_id[:100]}' not found.") from None


async def _waits(call: Call, thread_id: str) -> bool:
    try:
        return (await call.desk.thread(thread_id)).status == "interrupted"
    except NotFound:
        return False


async def _thread_after(call: Call, before: RunRecord) -> str:
    """Return the thread that goes on from a response: its own, or a fork where the conversation went on otherwise."""
    newest = (await call.desk.records.runs(before.thread_id, limit=1))[0]
    if newest.run_id == before.run_id:
        return before.thread_id
    for turn in await call.desk.threads.turns(before.thread_id):
        if turn.run_id == before.run_id and turn.number is not None:
            return (await call.desk.threads.fork(before.thread_id, at=str(turn.number))).thread_id
    raise InvalidInput("Nothing can follow this response: it left no state.", param="previous_response_id")


async def _folded(call: Call, run_id: str, fold: responses.Response) -> dict[str, Any]:
    """Return a response as far as it is now."""
    async for page in call.desk.pages(run_id, idle_s=0.001):
        if not page:
            break
        for recorded in page:
            fold.take(recorded)
    return fold.value


MODELS = "/v1/models"
RESPONSES = "/v1/responses"
ONE = "/v1/responses/{response_id}"

WIRE = Wire(
    name="openai",
    title="OpenAI's Chat Completions and Responses",
    error=talk.openai_error,
    routes=(
        Route("GET", MODELS, "openai.models.list", "graphs:read", list_models, "List graphs as models", answer=ANY),
        Route(
            "GET", f"{MODELS}/{{model:path}}", "openai.models.get", "graphs:read", get_model, "Look at a model",
            answer=ANY,
        ),
        Route(
            "POST", "/v1/chat/completions", "openai.chat.create", "runs:write", create_completion,
            "Answer a conversation, whole or in pieces", body=chat.ChatBody, answer=ANY, errors=(400, 409),
        ),
        Route(
            "POST", RESPONSES, "openai.responses.create", "runs:write", create_response,
            "Begin a response", body=responses.ResponseBody, answer=ANY, errors=(400, 409),
        ),
        Route(
            "GET", ONE, "openai.responses.get", "runs:read", get_response, "Look at a response, or stream it",
            answer=ANY, errors=(400,),
            query={"stream": "`true` streams its events", "starting_after": "Begin after the event of this number"},
        ),
        Route(
            "DELETE", ONE, "openai.responses.delete", "threads:write", delete_response, "Delete a response",
            answer=ANY, errors=(409,),
        ),
        Route(
            "POST", f"{ONE}/cancel", "openai.responses.cancel", "runs:write", cancel_response, "Stop a response",
            answer=ANY,
        ),
    ),
)  # fmt: skip
