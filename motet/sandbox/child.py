"""A child process that becomes another user, on any event loop: uvloop's own children can only be Motet's user.

What does not live here: what is started (`box`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STOP_S = 0.1
"""Longest wait for a process that was told to stop; it takes microseconds."""


@dataclass
class Child:
    """A process that leads a session of its own, with pipes to its input and outputs. It is always `end`ed."""

    _process: subprocess.Popen[bytes]
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    _pipes: Sequence[asyncio.BaseTransport]
    _ended: asyncio.Future[int] = field(default_factory=asyncio.Future[int])

    def __post_init__(self) -> None:
        self._notice = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._notice, self._note_end)

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._notice)
        os.close(self._notice)
        self._ended.set_result(self._process.wait())

    @property
    def has_ended(self) -> bool:
        """Say whether it has ended."""
        return self._ended.done()

    async def wait(self) -> int:
        """Wait for its end; return its exit code, -n where signal n ended it."""
        return await asyncio.shield(self._ended)

    async def end(self) -> None:
        """End it and all of its session that is in its group; read what it wrote. A second call does nothing."""
        if not self._ended.done():
            _kill(self._process)
        # Read to the end, so that nothing of it is left; with it everybody who wrote there has ended.
        await asyncio.gather(_drain(self.stdout), _drain(self.stderr), self.wait())
        for pipe in self._pipes:  # asyncio closes an output at its end, uvloop does not
            pipe.close()


async def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    uid: int | None = None,
) -> Child:
    """Start a process in a session of its own, as the user and the group `uid`; None is Motet's own.

    Raises:
        OSError: It cannot be started.
    """
    # Waits for the child's exec, some milliseconds, as asyncio's own loop does in the same place.
    process = subprocess.Popen(  # noqa: ASYNC220, S603  # the caller says what
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=env,
        cwd="/",  # where Motet was started is nobody's business
        pass_fds=pass_fds,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )
    connecting = asyncio.ensure_future(_connected(process))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:  # not wanted any more, and nobody else knows of it
        await (await connecting).end()
        raise


async def _connected(process: subprocess.Popen[bytes]) -> Child:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: PT018
    (stdout, out), (stderr, err) = [await _reader(pipe) for pipe in (process.stdout, process.stderr)]
    stdin = await _writer(process.stdin)
    return Child(process, stdin, stdout, stderr, [stdin.transport, out, err])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its group and its children, who may have left the group.

    A box that is being set up has left it, and does not yet hear of its starter's death: it would run on.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGSTOP)  # so that it gets no more children
        children = _children(process.pid)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.killpg(process.pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    """Return the children of a process that was told to stop, when it has stopped."""
    folder, until = Path(f"/proc/{pid}"), time.monotonic() + STOP_S
    with contextlib.suppress(OSError):
        while (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] in "RSD":
            if time.monotonic() > until:
                break
            os.sched_yield()
        return [int(child) for child in (folder / "task" / str(pid) / "children").read_text("utf-8").split()]
    return []


async def _reader(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport


async def _writer(pipe: IO[bytes]) -> asyncio.StreamWriter:
    reader = asyncio.StreamReader()  # nothing is read from it: the protocol that knows when to wait has one
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass
