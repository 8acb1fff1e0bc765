"""A wire that can be cut: a TCP port on loopback in front of a server's Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Proxy:
    """Passes bytes both ways until `cut()`, which resets every connection as a broken network does."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self.cuts = 0
        """Connections that were cut."""

    @property
    def port(self) -> int:
        assert self._server is not None, "the proxy is not running: use 'async with'"
        return self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection; new ones are taken at once."""
        self.cuts += len(self._open) // 2
        for writer in list(self._open):
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        try:
            there_reader, there_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:  # the server is down
            writer.transport.abort()
            self._passing.discard(task)
            return
        self._open |= {writer, there_writer}
        await asyncio.gather(_pass(reader, there_writer), _pass(there_reader, writer))
        self._open -= {writer, there_writer}
        self._passing.discard(task)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
