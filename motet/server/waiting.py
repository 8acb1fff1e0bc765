"""Waits for a run's end for wires that answer with one body: the same log, read to its end.

What does not live here: streams (`sse`), and what a wire makes of the events.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from motet.errors import ServerStopping
from motet.server.sse import wait_for_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.events import Recorded
    from motet.server.call import Call


async def read_to_end(
    call: Call, run_id: str, take: Callable[[Recorded], Any], *, cancel_on_disconnect: bool = True
) -> None:
    """Give every event of a run to `take`, as they come; return after the last one.

    Raises:
        ClientDisconnect: The client left; its run was asked to stop where `cancel_on_disconnect` says so.
        ServerStopping: The server closes; the run is kept and goes on later.
    """
    office = call.office
    work = asyncio.ensure_future(_read(call, run_id, take))
    try:
        await wait_for_end(work, _gone(call), office.closing)
        if work.done():
            return await work
        if office.closing.is_set():
            raise ServerStopping(
                f"The server is about to stop. Run {run_id} is kept and goes on.", run_id=run_id
            )
        if cancel_on_disconnect:
            office.soon(call.desk.cancel(run_id, reason="the client left"))
        raise ClientDisconnect
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _read(call: Call, run_id: str, take: Callable[[Recorded], Any]) -> None:
    async with contextlib.aclosing(call.desk.pages(run_id)) as pages:  # pyright: ignore[reportArgumentType]
        async for page in pages:
            for recorded in page:
                take(recorded)


async def _gone(call: Call) -> None:
    while (await call.request.receive())["type"] != "http.disconnect":
        pass
