"""A script behind a real socket on loopback, in OpenAI's wire: what tests exercise is the real client's path.

What does not live here: the shapes of the wire (`scripted_wire`), and the script (`script`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from motet.errors import MotetError
from motet.models.probe import PROBE_NAME, PROBE_WORD
from motet.models.script import FAULTS, AnyReply, Call, Reply, Script, ToolCall
from motet.models.scripted import as_script, count_tokens
from motet.models.scripted_faults import FaultPlan
from motet.models.scripted_http import (
    MAX_HEAD_BYTES,
    ServerRequest,
    WireAnswer,
    event_answer,
    json_answer,
    read_request,
    reset,
    send,
)
from motet.models.scripted_responses import read_responses_call, response, response_events
from motet.models.scripted_wire import (
    calls_as_text,
    completion,
    embeddings,
    enforced,
    error_body,
    read_call,
    stream_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

Support = Literal["yes", "ignored", "refused"]
"""What a server does with a part of the wire: does it, does as if it was not asked, or answers 400."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How requests are read and replies are written."""

    read: Callable[[dict[str, Any]], Call]
    whole: Callable[..., dict[str, Any]]
    events: Callable[..., Iterable[dict[str, Any]]]
    end: tuple[str, ...]
    """What follows a stream's last event."""


MAX_PIECES = 2000
"""Most pieces of a stream: a very long answer comes in longer ones."""

CHAT = Wire(read_call, completion, stream_chunks, ("[DONE]",))
RESPONSES = Wire(read_responses_call, response, response_events, ())


class _Refused(Exception):  # a reply, not a failure
    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class ScriptedServer:
    """Serves `/v1/models`, `/v1/chat/completions`, `/v1/responses` and `/v1/embeddings` on a free loopback port.

    Use it with `async with`; a client is given `base_url` and `model`. Requests that only find out what the server
    can do (`probe`) are answered by themselves and use up nothing of the script.
    """

    _server: asyncio.Server | None
    _connections: set[asyncio.Task[None]]

    def __init__(
        self,
        script: Script | Sequence[AnyReply] | Callable[[Call], AnyReply],
        *,
        model: str = "scripted",
        port: int = 0,
        api_key: str = "",
        faults: Sequence[FaultPlan] = (),
        images: bool = True,
        embedding_dimension: int = 0,
        context_tokens: int = 0,
        tools: Support = "yes",
        json_schema: Support | Literal["guided"] = "yes",
        list_models: bool | Literal["broken"] = True,
        stops: bool = True,
        piece_chars: int = 4,
    ) -> None:
        """Take a script and how able the server is.

        Args:
            script: As for `ScriptedChatModel`.
            model: The one model that it has.
            port: A free one at 0.
            api_key: Any other key is refused; "" takes all.
            faults: What goes wrong, and when.
            images: Whether its model sees them.
            embedding_dimension: 0 has none.
            context_tokens: A longer prompt is refused; 0 takes all.
            tools: Whether tool calls are answered as such. `ignored`: the model writes them as text.
            json_schema: Whether `response_format: json_schema` is enforced. `guided`: only `guided_json` is.
            list_models: Whether there is a model list. `broken`: it is an error of the server.
            stops: Whether an answer ends before a stop word; without, it goes on.
            piece_chars: Length of a stream's pieces.
        """
        # What tests look at: requests and questions to the script (probes left out), the oldest first; streams that the
        # client did not read to their end. `faults` may be changed while it runs.
        self.model = model
        self.faults = list(faults)
        self.requests: list[ServerRequest] = []
        self.calls: list[Call] = []
        self.broken_off = 0
        self._script = as_script(script)
        self._api_key, self._port = api_key, port
        self._images, self._embedding_dimension = images, embedding_dimension
        self._context_tokens = context_tokens
        self._tools: Support = tools
        self._json_schema = json_schema
        self._list_models = list_models
        self._stops, self._piece_chars = stops, piece_chars
        self._server, self._connections = None, set()

    @property
    def base_url(self) -> str:
        """The URL for OpenAI's clients, `http://127.0.0.1:PORT/v1`."""
        assert self._server is not None, "the server is not running: use 'async with'"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self._port, limit=MAX_HEAD_BYTES
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            # Only `__aexit__` cancels a connection; its end is what was asked for.
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it; False when the connection ends here."""
        request = await read_request(reader)
        if request is None:
            return False
        self.requests.append(request)
        try:
            answer = self._answer(request)
        except _Refused as refused:
            answer = json_answer(error_body(str(refused), refused.code), refused.status, refused.headers)
        if answer is None:
            reset(writer)
            return False
        try:
            return await send(answer, reader, writer)
        except ConnectionError:
            self.broken_off += 1
            return False

    def _answer(self, request: ServerRequest) -> WireAnswer | None:
        """Return what is answered; None breaks the connection off."""
        if self._api_key and request.headers.get("authorization") != f"Bearer {self._api_key}":
            raise _fault("auth")
        if (request.method, request.path) == ("GET", "/v1/models") and self._list_models:
            if self._list_models == "broken":
                raise _Refused(500, "server_error", "Internal Server Error")
            return json_answer(self._model_list())
        routes = {
            "/v1/chat/completions": partial(self._said, wire=CHAT),
            "/v1/responses": partial(self._said, wire=RESPONSES),
            "/v1/embeddings": self._embedded,
        }
        if request.method != "POST" or request.path not in routes:
            raise _Refused(404, "not_found", f"Unknown request URL: {request.method} {request.path}.")
        return routes[request.path](request.body)

    def _said(self, body: dict[str, Any], *, wire: Wire) -> WireAnswer | None:
        call = self._checked_call(body, wire)
        streamed = bool(body.get("stream"))
        if PROBE_NAME in (call.schema_name, *call.tool_names) or PROBE_NAME in call.user_text:
            return self._written(self._able(self._probe_reply(call), call), call, [], wire, streamed=streamed)
        self.calls.append(call)
        reply, plans = self._reply(call, streamed=streamed)
        return self._written(reply, call, plans, wire, streamed=streamed)

    def _written(
        self, reply: Reply, call: Call, plans: list[FaultPlan], wire: Wire, *, streamed: bool
    ) -> WireAnswer | None:
        """Return a reply on the wire, with what goes wrong on it."""
        place: dict[str, Any] = {"model": self.model, "number": len(self.requests)}
        if streamed:
            longest = max(len(reply.text), *(len(c.arguments_text()) for c in reply.tool_calls), 0)
            size = max(self._piece_chars, longest // MAX_PIECES)
            objects = list(wire.events(reply, call, size=size, **place))
        else:
            objects = [wire.whole(reply, call, **place)]
        for plan in plans:
            objects = plan.change_objects(objects)
        answer = event_answer([*objects, *wire.end]) if streamed else json_answer(objects[0])
        changed = replace(answer, wait_s=reply.delay_s, pause_s=reply.piece_delay_s if streamed else 0.0)
        for plan in plans:
            changed = plan.change_answer(changed) if changed is not None else None
        return changed

    def _reply(self, call: Call, *, streamed: bool) -> tuple[Reply, list[FaultPlan]]:
        """Return the script's reply as this server gives it, and the faults that are due."""
        try:
            reply = self._script.reply(call)
        except MotetError as error:
            raise _Refused(400, "script", error.message) from None
        if reply.error is not None:
            raise _Refused(500, "server_error", str(reply.error))
        is_last = self._script.is_last(reply, call)
        number = len(self.calls)
        plans = [plan for plan in self.faults if plan.due(number, is_last=is_last, streamed=streamed)]
        if any(plan.spoils for plan in plans):
            self._script.take_back()
        if reply.fault is not None:
            plans.append(FaultPlan(reply.fault, knobs={"retry_after": reply.retry_after}))
        for plan in plans:
            reply = plan.change_reply(reply, call)
        ends = call.options.get("stop") if self._stops else None
        return self._able(reply.stopped_at(ends), call), plans

    def _embedded(self, body: dict[str, Any]) -> WireAnswer:
        if not self._embedding_dimension:
            raise _Refused(404, "not_found", "This server has no embedding model.")
        given = body.get("input") or []
        texts = [given] if isinstance(given, str) else [str(text) for text in given]
        as_floats = body.get("encoding_format") != "base64"
        dimension = self._embedding_dimension
        return json_answer(embeddings(texts, model=self.model, dimension=dimension, as_floats=as_floats))

    def _checked_call(self, body: dict[str, Any], wire: Wire) -> Call:
        if body.get("model") != self.model:
            raise _Refused(404, "model_not_found", f"The model '{body.get('model')}' does not exist.")
        try:
            call = wire.read(body)
        except (ValueError, TypeError, KeyError, NotImplementedError) as error:
            raise _Refused(400, "invalid_request", f"The request cannot be read: {error}.") from None
        if call.tools and self._tools == "refused":
            raise _Refused(400, "invalid_request", '"auto" tool choice is not enabled on this server.')
        if call.schema and self._json_schema == "refused":
            raise _Refused(400, "invalid_request", "'response_format' of this type is not supported.")
        if call.images and not self._images:
            raise _Refused(500, "server_error", "image input is not supported by this model")
        asked = sum(count_tokens(message.text) for message in call.messages)
        if self._context_tokens and asked > self._context_tokens:
            raise _fault("context")
        return call

    def _able(self, reply: Reply, call: Call) -> Reply:
        """Return the reply as far as this server can give it."""
        if call.schema and self._json_schema == ("guided" if call.options.get("guided_json") else "yes"):
            return enforced(reply, call)
        return reply if self._tools == "yes" and call.tools else calls_as_text(reply)

    def _probe_reply(self, call: Call) -> Reply:
        if call.tools:
            return Reply(tool_calls=(ToolCall(PROBE_NAME, {"article": "lamp"}),))
        enforced = call.schema and self._json_schema == (
            "guided" if call.options.get("guided_json") else "yes"
        )
        return Reply(text=json.dumps({"word": PROBE_WORD}) if enforced else "Hello!")

    def _model_list(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": self.model, "object": "model", "created": 1, "owned_by": "motet"}
        if self._context_tokens:
            entry["max_model_len"] = self._context_tokens
        return {"object": "list", "data": [entry]}


def _fault(name: str, retry_after: str = "") -> _Refused:
    status, code, message, _ = FAULTS[name]
    return _Refused(status, code, message, {"retry-after": retry_after} if retry_after else None)
