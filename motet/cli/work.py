"""`motet runs work`: a worker for every conversation of the database, until somebody stops it.

What does not live here: claiming and draining (`motet.runs.worker`), and what signals do (`stops`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from motet.cli.lists import note
from motet.cli.session import with_app
from motet.cli.stops import Stops

if TYPE_CHECKING:
    from motet.app import App


def work(concurrency: int | None) -> None:
    """Work on runs until Ctrl-C or SIGTERM; then let those at work end, for a while. A second signal leaves at once."""
    import asyncio

    stops = Stops()

    async def until_stopped(app: App) -> None:
        stopped = asyncio.Event()

        async def stop() -> None:
            stopped.set()

        stops.stop_with(stop)
        worker = await app.start_worker(every_thread=True)
        note("Working on runs. Ctrl-C or SIGTERM stops.")
        await stopped.wait()
        grace_s = app.settings.runs.drain_s
        note(f"Stopping: runs at work have {grace_s:g} s to end. A second signal leaves at once.")
        parked = await worker.drain(grace_s)
        note(f"Stopped. Given back to the queue: {parked}.")

    overrides = {} if concurrency is None else {"runs.concurrency": concurrency}
    try:
        with_app(until_stopped, stops=stops, overrides=overrides)
    except typer.Exit:  # asked to stop before there was a worker: nothing is left to end
        return
