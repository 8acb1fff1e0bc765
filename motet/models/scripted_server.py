"""A script behind a real socket on loopback, in OpenAI's wire: what tests exercise is the real client's path.

What does not live here: the shapes of the wire (`scripted_wire`), and the script (`script`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from motet.errors import MotetError
from motet.models.probe import PROBE_NAME, PROBE_WORD
from motet.models.script import FAULTS, AnyReply, Call, Reply, Script, ToolCall
from motet.models.scripted import as_script, count_tokens
from motet.models.scripted_wire import (
    calls_as_text,
    completion,
    enforced,
    error_body,
    read_call,
    stream_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

Support = Literal["yes", "ignored", "refused"]
"""What a server does with a part of the wire: does it, does as if it was not asked, or answers 400."""

_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A request as it came over the socket."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any] = field(default_factory=dict[str, Any])


class _Refused(Exception):  # a reply, not a failure
    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class ScriptedServer:
    """Serves `GET /v1/models` and `POST /v1/chat/completions` on a free loopback port.

    Use it with `async with`; a client is given `base_url` and `model`. Requests that only find out what the server
    can do (`probe`) are answered by themselves and use up nothing of the script.
    """

    def __init__(
        self,
        script: Script | Sequence[AnyReply] | Callable[[Call], AnyReply],
        *,
        model: str = "scripted",
        api_key: str = "",
        context_tokens: int = 0,
        tools: Support = "yes",
        json_schema: Support = "yes",
        list_models: bool = True,
        piece_chars: int = 4,
    ) -> None:
        """Take a script and how able the server is.

        Args:
            script: As for `ScriptedChatModel`.
            model: The one model that it has.
            api_key: Any other key is refused; "" takes all.
            context_tokens: A longer prompt is refused; 0 takes all.
            tools: Whether tool calls are answered as such. `ignored`: the model writes them as text.
            json_schema: Whether `response_format: json_schema` is enforced.
            list_models: Whether there is a model list at all.
            piece_chars: Length of the pieces of a stream.
        """
        self.model = model
        self.requests: list[ServerRequest] = []
        """Every request, oldest first."""
        self.calls: list[Call] = []
        """What the script was asked, probes left out."""
        self.broken_off = 0
        """How many streams the client did not read to their end."""
        self._script = as_script(script)
        self._api_key = api_key
        self._context_tokens = context_tokens
        self._tools: Support = tools
        self._json_schema: Support = json_schema
        self._list_models = list_models
        self._piece_chars = piece_chars
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """The URL for OpenAI's clients, `http://127.0.0.1:PORT/v1`."""
        assert self._server is not None, "the server is not running: use 'async with'"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
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
        request = await _read_request(reader)
        if request is None:
            return False
        self.requests.append(request)
        try:
            return await self._answer(request, reader, writer)
        except _Refused as refused:
            body = error_body(str(refused), refused.code)
            await _write_json(writer, refused.status, body, refused.headers)
            return True

    async def _answer(
        self, request: ServerRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if self._api_key and request.headers.get("authorization") != f"Bearer {self._api_key}":
            raise _fault("auth")
        if (request.method, request.path) == ("GET", "/v1/models") and self._list_models:
            await _write_json(writer, 200, self._model_list())
            return True
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            raise _Refused(404, "not_found", f"Unknown request URL: {request.method} {request.path}.")
        call, reply = self._reply(request.body)
        await asyncio.sleep(reply.delay_s)
        number = len(self.requests)
        if not request.body.get("stream"):
            whole = completion(reply, call, model=self.model, number=number)
            return await _write_json(writer, 200, whole, cut=reply.fault == "break")
        chunks = list(stream_chunks(reply, call, model=self.model, number=number, size=self._piece_chars))
        return await self._stream(chunks, reply, reader, writer)

    def _reply(self, body: dict[str, Any]) -> tuple[Call, Reply]:
        call = self._checked_call(body)
        if PROBE_NAME in (call.schema_name, *call.tool_names):
            return call, self._able(self._probe_reply(call), call)
        self.calls.append(call)
        try:
            reply = self._able(self._script.reply(call), call)
        except MotetError as error:
            raise _Refused(400, "script", error.message) from None
        if reply.error is not None:
            raise _Refused(500, "server_error", str(reply.error))
        if reply.fault not in (None, "break"):
            raise _fault(reply.fault, reply.retry_after)
        return call, reply

    def _checked_call(self, body: dict[str, Any]) -> Call:
        if body.get("model") != self.model:
            raise _Refused(404, "model_not_found", f"The model '{body.get('model')}' does not exist.")
        try:
            call = read_call(body)
        except (ValueError, TypeError, KeyError, NotImplementedError) as error:
            raise _Refused(400, "invalid_request", f"The request cannot be read: {error}.") from None
        if call.tools and self._tools == "refused":
            raise _Refused(400, "invalid_request", '"auto" tool choice is not enabled on this server.')
        if call.schema and self._json_schema == "refused":
            raise _Refused(400, "invalid_request", "'response_format' of this type is not supported.")
        asked = sum(count_tokens(message.text) for message in call.messages)
        if self._context_tokens and asked > self._context_tokens:
            raise _fault("context")
        return call

    def _able(self, reply: Reply, call: Call) -> Reply:
        """Return the reply as far as this server can give it."""
        if call.schema and self._json_schema == "yes":
            return enforced(reply, call)
        return reply if self._tools == "yes" and call.tools else calls_as_text(reply)

    def _probe_reply(self, call: Call) -> Reply:
        if call.tools:
            return Reply(tool_calls=(ToolCall(PROBE_NAME, {"article": "lamp"}),))
        return Reply(text=json.dumps({"word": PROBE_WORD}) if self._json_schema == "yes" else "Hello!")

    def _model_list(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": self.model, "object": "model", "created": 1, "owned_by": "motet"}
        if self._context_tokens:
            entry["max_model_len"] = self._context_tokens
        return {"object": "list", "data": [entry]}

    async def _stream(
        self,
        chunks: list[dict[str, Any]],
        reply: Reply,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        head = _head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        writer.write(head)
        if reply.fault == "break":
            chunks = chunks[: max(1, len(chunks) // 2)]
        try:
            for chunk in chunks:
                await _write_event(writer, json.dumps(chunk, ensure_ascii=False))
                await asyncio.sleep(reply.piece_delay_s)
                if reader.at_eof():
                    raise ConnectionResetError
        except ConnectionError:
            self.broken_off += 1
            return False
        if reply.fault == "break":
            return False
        await _write_event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _fault(name: str, retry_after: str = "") -> _Refused:
    status, code, message, _ = FAULTS[name]
    return _Refused(status, code, message, {"retry-after": retry_after} if retry_after else None)


async def _read_request(reader: asyncio.StreamReader) -> ServerRequest | None:
    """Return the next request; None at the end of the connection, or when it is not HTTP with a JSON body."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    size = int(headers.get("content-length") or 0)
    if not 0 <= size <= _MAX_BODY_BYTES:
        return None
    raw = await reader.readexactly(size)
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        return None
    return ServerRequest(method, rest.partition(" ")[0], headers, body)


async def _write_json(
    writer: asyncio.StreamWriter,
    status: int,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    cut: bool = False,
) -> bool:
    """Write a whole response, or half of it with `cut`; False when the connection is to be closed."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    length = {"content-type": "application/json", "content-length": str(len(raw))}
    writer.write(_head(status, {**length, **(headers or {})}))
    writer.write(raw[: len(raw) // 2] if cut else raw)
    await writer.drain()
    return not cut


async def _write_event(writer: asyncio.StreamWriter, data: str) -> None:
    raw = f"data: {data}\n\n".encode()
    writer.write(b"%x\r\n%s\r\n" % (len(raw), raw))
    await writer.drain()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
