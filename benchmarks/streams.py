"""A thousand streams of Motet's server at once, and what clients cost it that do not read.

    make bench-streams [CLIENTS=1000]

Every client asks for a run of its own and reads its stream to the end (R-07). Before that a tenth as many clients
with small socket buffers read a byte a second of theirs, while others read as they should (R-06). The server is one
process over a model without latency, with the state, the transcript and every event on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.http_runs import motet_own

BODY = {"input": {"messages": [{"type": "human", "content": "How much is 6 * 7?"}]}}


@dataclass(slots=True)
class Seen:
    """What the clients saw."""

    first_ms: list[float] = field(default_factory=list[float])
    ended: int = 0
    failed: list[str] = field(default_factory=list[str])


def rss_mb(pid: int) -> float:
    """Return the megabytes of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def request(path: str) -> bytes:
    """Return the bytes of a request for a stream."""
    body = json.dumps(BODY).encode()
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Connection: close"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def read_along(port: int, path: str, seen: Seen) -> None:
    """Ask for a run and read its stream to its end."""
    began = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(path))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            seen.failed.append(head.splitlines()[0].decode())
            return
        first = await reader.read(1)
        seen.first_ms.append((time.perf_counter() - began) * 1e3)
        rest = first + await reader.read()
        writer.close()
        if b"It is 42." in rest and b"event: end" in rest:
            seen.ended += 1
        else:
            seen.failed.append(f"broken off: {rest[-80:]!r}")
    except (OSError, asyncio.IncompleteReadError) as error:
        seen.failed.append(repr(error))


async def crawl(port: int, path: str, stop: asyncio.Event) -> None:
    """Ask for a run and read a byte a second of it, with the smallest buffer."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, ("127.0.0.1", port))
    await loop.sock_sendall(line, request(path))
    while not stop.is_set():
        await loop.sock_recv(line, 1)
        await asyncio.sleep(1)
    line.close()


async def measure(port: int, pid: int, clients: int) -> None:
    """Measure and print."""
    path = "/langserve/bench/stream"
    warm = Seen()
    for _ in range(5):
        await asyncio.gather(*(read_along(port, path, warm) for _ in range(10)))
    before, stop = rss_mb(pid), asyncio.Event()
    alone = Seen()
    for _ in range(5):
        await asyncio.gather(*(read_along(port, path, alone) for _ in range(4)))
    crawlers = [asyncio.create_task(crawl(port, path, stop)) for _ in range(clients // 10)]
    await asyncio.sleep(20)
    beside = Seen()
    for _ in range(5):
        await asyncio.gather(*(read_along(port, path, beside) for _ in range(4)))
    grown = rss_mb(pid) - before
    stop.set()
    await asyncio.gather(*crawlers, return_exceptions=True)
    p99 = [statistics.quantiles(one.first_ms, n=100)[98] for one in (alone, beside)]
    print(
        f"{clients // 10} clients that read 1 B/s: memory grows by {grown:.1f} MB; first byte of others, p99:"
    )
    print(f"  {p99[0]:.0f} ms without them, {p99[1]:.0f} ms beside them")
    print(
        f"  {'yes' if grown < 50 else 'NO '} below 50 MB; {'yes' if p99[1] < 2 * p99[0] else 'NO '} below twice"
    )
    before, began, seen = rss_mb(pid), time.perf_counter(), Seen()
    tasks = [asyncio.create_task(read_along(port, path, seen)) for _ in range(clients)]
    most = before
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.5)
        most = max(most, rss_mb(pid))
    took_s = time.perf_counter() - began
    firsts, kib = statistics.quantiles(seen.first_ms, n=100), (most - before) * 1024 / clients
    whole, soon = seen.ended == clients, firsts[98] < 1500
    print(f"{clients} streams at once: {seen.ended} ended, {len(seen.failed)} failed, in {took_s:.1f} s")
    print(f"  first byte p50 {firsts[49]:.0f} ms, p99 {firsts[98]:.0f} ms; {kib:.0f} KiB a stream")
    print(f"  {'yes' if whole else 'NO '} none failed; {'yes' if soon else 'NO '} p99 below 1.5 s")
    for reason in sorted(set(seen.failed))[:5]:
        print(f"  failed: {reason}")


def main() -> None:
    """Start the server and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    options = parser.parse_args()
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        side = motet_own(stack, folder, "")
        asyncio.run(measure(side.port, side.pid, options.clients))


if __name__ == "__main__":
    main()
