"""Server-sent events from a run's log, for every wire.

A reader pulls: a page of the log is read when the last one was taken, so a client that reads slowly costs one page
and never slows a run. What a client missed it asks for again by number; the log has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet.errors import InvalidInput, MotetError
from motet.server.office import end
from motet.server.plain import utf8

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    from motet.events import Recorded
    from motet.runs.request import RunRecord
    from motet.server.call import Call
    from motet.server.office import Closing

logger = logging.getLogger(__name__)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def frame(data: str, *, event: str = "", event_id: str | int = "", newline: str = "\n") -> bytes:
    """Return one server-sent event; every line of `data` gets its own field, as the standard has it."""
    lines = [f"event: {event}"] if event else []
    lines += [f"data: {line}" for line in data.split("\n")] if data or not event else ["data:"]
    if event_id != "":
        lines.append(f"id: {event_id}")
    return utf8(newline.join(lines) + newline * 2)


LAST_WORDS_S = 1.0
"""How long a stream has, when the server closes, for what its run's log has already."""


class EventStream(Response):
    """A run's events as server-sent events, from a number on, until the run ends or the client leaves.

    Args:
        call: The request that is answered.
        run_id: The run; it is the caller's.
        encode: Gives the bytes of an event; nothing for one that the wire does not show.
        after: Begin after this number.
        first: Sent before the first event.
        last: Gives what is sent after the run's last event; not sent when the stream breaks off.
        cancel_on_disconnect: Stop the run when the client leaves before its end.
        heartbeat: A comment that is sent in silence, so that proxies and clients know the stream lives.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        call: Call,
        run_id: str,
        encode: Callable[[Recorded], Iterable[bytes]],
        *,
        after: int = 0,
        first: bytes = b"",
        last: Callable[[], bytes | Awaitable[bytes]] = bytes,
        cancel_on_disconnect: bool = False,
        heartbeat: bytes = b": heartbeat\n\n",
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(headers={**HEADERS, **(headers or {})}, media_type=media_type)
        del self.headers["content-length"]
        self._call, self._run_id, self._encode, self._after = call, run_id, encode, after
        self._first, self._last, self._heartbeat = first, last, heartbeat
        self._cancel = cancel_on_disconnect
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        del scope
        office = self._call.office
        async with office.streams.take(self._call.desk.caller):
            work = asyncio.ensure_future(self._send_all(send))
            try:
                await wait_for_end(work, _gone(receive), office.closing)
                if office.closing.is_set():  # a run that ended in time is told to its end
                    await asyncio.wait([work], timeout=LAST_WORDS_S)
            finally:
                work.cancel()
                await asyncio.wait([work])
                if self._cancel and not self._ended and not office.closing.is_set():
                    office.soon(self._call.desk.cancel(self._run_id, reason="the client left"))
        error = None if work.cancelled() else work.exception()
        if isinstance(error, MotetError):  # the client sees a stream that broke off, and comes back
            logger.warning("the stream of run %s broke off: %s", self._run_id, error.message)
        elif error is not None and not isinstance(error, OSError):
            raise error

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, self._first)
        pages = self._call.desk.pages(
            self._run_id, after=self._after, idle_s=self._call.office.settings.heartbeat_s
        )
        async with _closing(pages):
            async for page in pages:
                whole = b"".join(part for recorded in page for part in self._encode(recorded))
                await _send(send, whole if page else self._heartbeat)
                del page, whole  # a stream waits longer than it works
        self._ended = True
        last = self._last()
        body = last if isinstance(last, bytes) else await last
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def check_place(call: Call, run_id: str, after: int) -> RunRecord:
    """Return a run whose events a caller wants after a number.

    Raises:
        NotFound: There is no such run, or it is another's.
        InvalidInput: It has no event of that number: the number is another run's.
    """
    run = await call.desk.run(run_id)
    if after > run.last_seq:
        raise InvalidInput(
            f"Run {run_id} has {run.last_seq} events; there is no event {after} to go on from."
        )
    return run


async def _send(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def wait_for_end(work: asyncio.Future[None], gone: Coroutine[Any, Any, None], closing: Closing) -> None:
    """Wait until work is done, the client is gone, or the server closes."""
    over = asyncio.get_running_loop().create_future()
    watcher = asyncio.ensure_future(gone)
    for one in (work, watcher):
        one.add_done_callback(partial(end, over))
    try:
        with closing.telling(over):
            await over
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def _closing(pages: AsyncIterator[Any]) -> contextlib.AbstractAsyncContextManager[Any]:
    return contextlib.aclosing(pages)  # pyright: ignore[reportArgumentType]  # the log's are generators
