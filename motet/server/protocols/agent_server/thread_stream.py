"""All runs of a thread in one stream, one after the other, those that are still to come too.

What does not live here: what a run's events look like (`stream`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput
from motet.server.protocols.agent_server.stream import Encoder, is_beginning, tag_of
from motet.server.protocols.agent_server.threads import thread_of
from motet.server.sse import EventStream

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Send

    from motet.runs.lookup import FoundRun
    from motet.server.call import Call

LOOK_S = 0.5
"""How often a stream looks for the thread's next run."""

MAX_RUNS = 1000
"""A stream goes back so many runs at most."""

KINDS = ("run_modes", "lifecycle", "state_update")


async def stream(call: Call) -> Response:
    """Stream a thread's runs from now on; or from the event after `Last-Event-ID` on, `-1` for the first run."""
    thread_id = (await thread_of(call)).thread_id
    asked = call.request.query_params.getlist("stream_mode") or ["run_modes"]
    for kind in asked:
        if kind not in KINDS:
            raise InvalidInput(f"stream_mode is {kind[:40]!r}; {', '.join(KINDS)} were expected.")
    runs = await runs_of(call, thread_id)
    seen = call.header("last-event-id").strip()
    done: set[str] = set()
    if not seen:  # what has ended already is not told
        done = {one.record.run_id for one in runs if one.record.status not in ("pending", "running")}
    elif not is_beginning(seen):
        place = next(
            (n for n, one in enumerate(runs) if tag_of(one.record.run_id) == seen.partition(".")[2]), None
        )
        if place is None:
            raise InvalidInput(
                f"Last-Event-ID is {seen[:60]!r}; the id of an event of thread {thread_id} was expected."
            )
        done = {one.record.run_id for one in runs[:place]}
    return ThreadStream(call, thread_id, done, seen, only_lifecycle=asked == ["lifecycle"])


async def runs_of(call: Call, thread_id: str) -> list[FoundRun]:
    """Return a thread's runs, oldest first, without the writes to its state, which are runs of Motet's alone."""
    found = await call.desk.lookup.runs(thread_id=thread_id, limit=MAX_RUNS)
    return [one for one in reversed(found) if not one.job.drive.supersteps]


class ThreadStream(EventStream):
    """Streams runs that are not in `done`; of the first one what follows `seen`."""

    def __init__(
        self, call: Call, thread_id: str, done: set[str], seen: str = "", *, only_lifecycle: bool = False
    ) -> None:
        super().__init__(call, "", lambda _: (), heartbeat=b": heartbeat\r\n\r\n")
        self._thread_id, self._seen = thread_id, seen
        self.done = done
        self._modes: list[str] | None = [] if only_lifecycle else None

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        quiet_s = 0.0
        while await self._call.desk.lookup.thread(self._thread_id) is not None:
            fresh = [
                one
                for one in await runs_of(self._call, self._thread_id)
                if one.record.run_id not in self.done
            ]
            for one in fresh:
                await self.send_run(send, one)
                quiet_s = 0.0
            await asyncio.sleep(LOOK_S)
            quiet_s += LOOK_S
            if quiet_s >= self._call.office.settings.heartbeat_s:
                await send_part(send, self._heartbeat)
                quiet_s = 0.0
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send_run(self, send: Send, one: FoundRun) -> None:
        """Send one run's events, until it ends."""
        run_id = one.record.run_id
        is_first = tag_of(run_id) == self._seen.partition(".")[2]
        encoder = Encoder(one, self._modes, self._seen if is_first else "", tells_end=True)
        idle_s = self._call.office.settings.heartbeat_s
        pages: Any = self._call.desk.pages(run_id, after=encoder.after, idle_s=idle_s)
        async with contextlib.aclosing(pages):
            async for page in pages:
                whole = b"".join(part for recorded in page for part in encoder.encode(recorded))
                await send_part(send, whole if page else self._heartbeat)
        self.done.add(run_id)


async def send_part(send: Send, body: bytes) -> None:
    """Send a part of a stream that goes on."""
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})
