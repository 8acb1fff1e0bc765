"""A little web server on this machine that counts who comes, and answers as a test says."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from motet.egress.client import Egress
from motet.egress.rules import Rules
from motet.settings import EgressSettings

Answer = Callable[[str, dict[str, str], bytes], "bytes | Awaitable[bytes]"]
"""From the path, the headers and the body to the bytes of a whole HTTP answer."""


def answer(body: bytes = b"ok", *, status: str = "200 OK", **headers: str) -> bytes:
    """Return an answer; `content_type="text/html"` is the header `content-type`."""
    lines = {"content-type": "text/plain", "content-length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}connection: close\r\n\r\n".encode() + body


def redirect(where: str, status: str = "302 Found") -> bytes:
    """Return a redirect."""
    return answer(b"", status=status, location=where)


class Listener:
    """Listens on loopback, both families where there are both; `hits` are the connections that came."""

    def __init__(self, reply: Answer | bytes = b"") -> None:
        self._reply = reply or answer()
        self.hits = 0
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self._servers: list[asyncio.Server] = []
        self.port = 0
        self._open: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        first = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._servers.append(first)
        self.port = first.sockets[0].getsockname()[1]
        with contextlib.suppress(OSError):
            self._servers.append(await asyncio.start_server(self._serve, "::1", self.port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        task = asyncio.current_task()
        if task is not None:
            self._open.append(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.seen.append((method, path, headers, body))
            if isinstance(self._reply, bytes):
                writer.write(self._reply)
            else:
                made = self._reply(path, headers, body)
                writer.write(made if isinstance(made, bytes) else await made)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def names(
    **table: str | Sequence[str] | Callable[[], Sequence[str]],
) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """Return a resolver of its own: `good_test="127.0.0.1"` is good.test; numbers are read as the system reads them."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        entry = table.get(host.rstrip(".").replace(".", "_").replace("-", "_"))
        if entry is None:
            rows = await asyncio.get_running_loop().getaddrinfo(host, port)
            return [str(row[4][0]) for row in rows]
        found = entry() if callable(entry) else entry
        return [found] if isinstance(found, str) else list(found)

    return resolve


def egress(
    *ports: int,
    allow: str = "",
    resolve: Callable[[str, int], Awaitable[Sequence[str]]] | None = None,
    **settings: object,
) -> Egress:
    """Return a way out that would call these ports of public hosts."""
    chosen = EgressSettings(ports=",".join(map(str, ports)), allow=allow, **settings)  # pyright: ignore[reportArgumentType]
    return Egress(chosen, rules=Rules(chosen, resolve=resolve or names()))
