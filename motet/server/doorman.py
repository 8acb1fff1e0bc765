"""A connection on its way to uvicorn's HTTP/1.1: read in small pieces, and not for ever.

What does not live here: HTTP itself (uvicorn), and how long a body may take that somebody reads (`call`).

asyncio's own transports read up to 256 KB at once, and h11 keeps a buffer of that size: two hundred senders of large
bodies hold 100 MB before anybody has looked at one of them. And a connection that never finishes a request's head, or
sends a body on and on that nobody reads any more, would be kept for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 32 * 1024
"""So much is read at once."""


class Doorman(asyncio.BufferedProtocol):
    """Stands between one connection and uvicorn's protocol.

    Args:
        buffer: What is read into; one for all connections, as it is emptied before the next is read.
        sending_s: How long a head may take, or a body that nobody reads; 0 for ever.
        more: What uvicorn gives to its own protocol.
    """

    def __init__(self, buffer: bytearray, sending_s: float, **more: Any) -> None:
        self._inner = H11Protocol(**more)
        self._view, self._sending_s = memoryview(buffer), sending_s
        self._late: asyncio.TimerHandle | None = None
        self._close: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on, and wait for a request's head."""
        self._close = transport.close
        self._inner.connection_made(cast("asyncio.Transport", transport))
        self._wait(owes=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._wait(owes=False)
        self._inner.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return what is read into."""
        del sizehint
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what was read."""
        self._inner.data_received(bytes(self._view[:nbytes]))
        self._wait(owes=self._owes())

    def eof_received(self) -> None:
        """Pass it on."""
        self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def _owes(self) -> bool:
        """Say whether the rest of a head is missing, or of a body whose request was answered without it."""
        conn = self._inner.conn
        if conn.their_state is h11.IDLE:
            return bool(conn.trailing_data[0])
        return conn.their_state is h11.SEND_BODY and conn.our_state in (h11.DONE, h11.MUST_CLOSE)

    def _wait(self, *, owes: bool) -> None:
        """Begin to wait, or go on; or end that."""
        if not owes and self._late is not None:
            self._late.cancel()
            self._late = None
        elif owes and self._late is None and self._sending_s:
            self._late = asyncio.get_running_loop().call_later(self._sending_s, self._close)
