"""The program under test: one Motet with a worker, behind a Unix socket that speaks JSON lines.

    python -m tests.chaos.server SOCKET

It stands where an HTTP server will: what the gate returns goes out as the answer to `submit`, and `follow` is the
event log from any number on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

from motet.app import App, build_app
from motet.errors import MotetError
from motet.runs.request import RunRequest
from motet.settings import Settings

LEFT = 128 + signal.SIGTERM
"""Exit code of one that was told to stop twice."""


class Door:
    """Answers one line after the other on each connection."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def serve(self, path: str) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, path, limit=2**20)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                async for answer in self._answers(json.loads(line)):
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the caller is gone, or the server ends
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answers(self, asked: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        try:
            match asked["op"]:
                case "submit":
                    yield await self._submit(asked)
                case "follow":
                    async for recorded in self._app.follow(asked["run_id"], after=asked["after"]):
                        asks = getattr(recorded.event, "value", None)
                        yield {"seq": recorded.seq, "type": recorded.event.type, "asks": asks}
                    yield {"end": True}
                case "cancel":
                    yield {"cancelled": await self._app.cancel(asked["run_id"])}
                case _:
                    yield {"tasks": len(asyncio.all_tasks()), "threads": threading.active_count()}
        except MotetError as error:
            yield {"error": error.code, "message": error.message}

    async def _submit(self, asked: dict[str, Any]) -> dict[str, Any]:
        request = RunRequest(
            thread_id=asked["thread_id"],
            create_thread=True,
            input={"messages": [{"role": "user", "content": asked["text"]}]} if "text" in asked else None,
            resume=asked.get("resume"),
            idempotency_key=asked["key"],
        )
        accepted = await self._app.submit(request)
        return {"run_id": accepted.run_id, "created": accepted.created}


async def run(path: str) -> None:
    """Serve until SIGTERM: then take nobody any more, let runs end for a while, and give the others back."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop, stop)
    async with build_app(Settings.load()) as app:
        worker = await app.start_worker(every_thread=True)
        door = await Door(app).serve(path)
        await stop.wait()
        door.close()
        await worker.drain(app.settings.runs.drain_s)


def _stop(stop: asyncio.Event) -> None:
    """Begin to stop; a second signal leaves at once, as `motet runs work` does."""
    if stop.is_set():
        os._exit(LEFT)
    stop.set()


def main(arguments: list[str]) -> None:
    """Start; used in a process of its own and in forks."""
    asyncio.run(run(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
