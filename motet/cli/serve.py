"""`motet serve`: the HTTP server, with a worker for every conversation of the database.

What does not live here: the server (`motet.server`), and what signals do (`stops`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import note
from motet.cli.session import with_app
from motet.cli.stops import Stops

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from motet.app import App


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen at; 0 takes any that is free.")] = None,
    protocols: Annotated[
        str | None, typer.Option(help="Protocols to speak, with commas between them.")
    ] = None,
) -> None:
    """Serve every graph over HTTP until Ctrl-C or SIGTERM, which let runs at work end. A second one leaves at once."""
    import asyncio
    import gc

    stops = Stops()

    async def until_stopped(app: App) -> None:
        from motet.app.serving import open_serving

        serving = await open_serving(app)
        stopped = asyncio.Event()

        async def stop() -> None:
            stopped.set()

        stops.stop_with(stop)
        await app.start_worker(every_thread=True)
        # What was imported until now stays: looked through for garbage each time, it held everybody up for 0.3 s.
        gc.collect()
        gc.freeze()
        served = asyncio.create_task(serving.run())
        shown = app.settings.server.host
        note(
            f"Serving at http://{f'[{shown}]' if ':' in shown else shown}:{serving.port} . Ctrl-C or SIGTERM stops."
        )
        await asyncio.wait(
            [served, asyncio.ensure_future(stopped.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        if stopped.is_set():
            grace_s = app.settings.runs.drain_s
            note(f"Stopping: runs at work have {grace_s:g} s to end. A second signal leaves at once.")
            parked = await serving.stop(grace_s)
            note(f"Stopped. Given back to the queue: {parked}.")
        await served

    overrides = {"server.host": host, "server.port": port, "server.protocols": protocols}
    try:
        with_app(until_stopped, stops=stops, overrides=overrides, loop_factory=_loop_factory())
    except typer.Exit:  # asked to stop before it served: nothing is left to end
        return


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a faster event loop than asyncio's own, None where there is none (Windows)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
