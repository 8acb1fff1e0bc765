"""The socket: listens, and on a signal ends what is going on well.

What does not live here: the application (`http`) and signals (the command line's).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from motet.errors import SettingInvalid
from motet.server.doorman import PIECE_BYTES, Doorman

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.types import ASGIApp

    from motet.server.office import Office
    from motet.settings import ServerSettings

CLOSE_S = 2.0
"""How long connections may take to close after their streams were ended."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to whoever started it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(settings: ServerSettings, *, asks: bool) -> socket.socket:
    """Open the socket that the settings name.

    Raises:
        SettingInvalid: The address is another machine's, or taken; or it is reachable for others, and nobody would
            be asked who they are.
    """
    if not settings.is_loopback() and not asks:
        raise SettingInvalid(
            f"Address {settings.host} can be reached by others, and nothing asks them who they are. Make a key with "
            "'motet keys create NAME', or name an issuer of tokens with MOTET_JWT_ISSUER; or listen at 127.0.0.1."
        )
    host = settings.host.strip("[]")
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, settings.port))
        bound.listen(2048)  # who comes from now on waits until the loop serves
    except (OSError, OverflowError) as error:
        bound.close()
        raise SettingInvalid(f"Cannot listen at {settings.host}:{settings.port}: {error}.") from None
    return bound


@dataclass
class Serving:
    """A server at work. `run` ends when `stop` was called."""

    app: ASGIApp
    office: Office
    bound: socket.socket
    drain: Callable[[float], Awaitable[int]]
    """Lets runs at work end, for so many seconds; gives the others back and returns how many."""

    def __post_init__(self) -> None:
        settings = self.office.settings
        _quiet()
        config = uvicorn.Config(
            self.app,
            http=partial(Doorman, bytearray(PIECE_BYTES), settings.sending_s),  # pyright: ignore[reportArgumentType]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=settings.max_header_kb * 1024 + 8192,
            timeout_graceful_shutdown=int(CLOSE_S),
            timeout_keep_alive=30,
        )
        self._server = _Server(config)

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self.bound.getsockname()[1])

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=[self.bound])

    async def stop(self, grace_s: float) -> int:
        """Take no new runs from now on, let those at work end, close; return how many runs were given back."""
        self.office.draining = True
        parked = await self.drain(grace_s)
        self.office.closing.set()
        await asyncio.sleep(0)  # streams see it
        self._server.should_exit = True
        return parked


def _quiet() -> None:
    """Keep uvicorn's own log for what is wrong with it: requests are logged by Motet."""
    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.CRITICAL)
