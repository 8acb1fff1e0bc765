"""The outside world: a small HTTP server on loopback that does irrevocable things, and writes down each.

`POST /` with `{"item": "…"}` delivers the item and answers with a receipt. With a header `Idempotency-Key` that
came before, nothing is delivered and the first receipt is given again: what a good payment service does. What a
caller without a key repeats is delivered twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Self

from tests.chaos.journal import Journal


class EffectServer:
    """Runs inside `async with`; tools are given `url`."""

    def __init__(self, journal: Journal, *, delay_s: float = 0.01) -> None:
        """Wait `delay_s` before a delivery, and again between it and the answer: a kill shall find both moments."""
        self._journal = journal
        self._delay_s = delay_s
        self._receipts: dict[str, int] = {}
        self._count = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None, "the server is not running: use 'async with'"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while True:
                answer = await self._deliver(*await _read(reader))
                body = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the caller is gone, or the server is closed
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _deliver(self, key: str, order: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self._delay_s)
        known = self._receipts.get(key) if key else None
        if known is None:
            self._count += 1
        receipt = known or self._count
        if key:
            self._receipts[key] = receipt
        self._journal.write(item=order["item"], key=key, receipt=receipt, delivered=known is None)
        await asyncio.sleep(self._delay_s)
        return {"receipt": receipt}


async def _read(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    """Return the key and the order of the next request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = (line.partition(":") for line in head.split("\r\n")[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return headers.get("idempotency-key", ""), json.loads(body)
