"""HTTP as a scripted server speaks it: one request read, one response written, over asyncio's streams.

What does not live here: what is answered (`scripted_server`).
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A request as it came over the socket."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any] = field(default_factory=dict[str, Any])


async def read_request(reader: asyncio.StreamReader) -> ServerRequest | None:
    """Return the next request; None at the end of the connection, or when it is not HTTP with a JSON body."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    size = int(headers.get("content-length") or 0)
    if not 0 <= size <= MAX_BODY_BYTES:
        return None
    raw = await reader.readexactly(size)
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        return None
    return ServerRequest(method, rest.partition(" ")[0], headers, body)


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """A response as it goes over the socket, in the pieces that it is written in."""

    pieces: Iterable[bytes]
    """The body; may have no end."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    pause_s: float = 0.0
    """Waited after each piece."""
    wait_s: float = 0.0
    """Waited before the first byte."""
    ending: Literal["clean", "cut", "reset"] = "clean"
    """`cut` closes the connection before the body's end, `reset` breaks it off, with RST."""


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> WireAnswer:
    """Return a whole JSON response."""
    raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return WireAnswer([raw], status, {"content-type": "application/json", **(headers or {})})


def event_answer(events: Iterable[dict[str, Any] | str]) -> WireAnswer:
    """Return a stream of server-sent events; one whose data has a `type` is named by it, as Responses do."""
    return WireAnswer((_event(event) for event in events), 200, {"content-type": "text/event-stream"})


def _event(event: dict[str, Any] | str) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode("utf-8", "replace")


async def send(answer: WireAnswer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Write an answer; False when the connection ends with it.

    Raises:
        ConnectionError: The client went away before its end.
    """
    await _wait(answer.wait_s, reader)
    writer.write(_head(answer.status, {**answer.headers, "transfer-encoding": "chunked"}))
    for piece in answer.pieces:
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b"")
        await writer.drain()
        await _wait(answer.pause_s, reader)
    if answer.ending == "clean":
        writer.write(b"0\r\n\r\n")
    elif answer.ending == "reset":
        reset(writer)
    await writer.drain()
    return answer.ending == "clean"


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off with RST, as a process that died does."""
    found = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _wait(seconds: float, reader: asyncio.StreamReader) -> None:
    """Wait, but no longer than the client does.

    Raises:
        ConnectionError: The client went away.
    """
    for _ in range(max(1, round(seconds / _LOOK_S))):
        await asyncio.sleep(min(seconds, _LOOK_S))
        if reader.at_eof():
            raise ConnectionResetError


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
