"""A child process: what it says, how it ends, and that nobody is left of it, on both event loops."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from motet.sandbox import child

Loop = Callable[[], asyncio.AbstractEventLoop]


def _loops() -> list[Any]:
    if sys.platform != "linux":
        return []
    import uvloop

    return [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop"),
    ]


@pytest.fixture(params=_loops())
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def on_loop(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(work)

    return on_loop


Run = Callable[[Coroutine[Any, Any, None]], None]


def test_it_reads_its_input_and_says_how_it_ended(run: Run) -> None:
    async def work() -> None:
        started = await child.start(["/bin/sh", "-c", "cat; echo err >&2; exit 3"], env={})
        started.stdin.write("文".encode())
        started.stdin.close()
        assert await started.stdout.read() == "文".encode()
        assert await started.stderr.read() == b"err\n"
        assert await started.wait() == 3
        await started.end()  # nothing to do any more

    run(work())


def test_its_end_takes_its_group_along(run: Run) -> None:
    async def work() -> None:
        started = await child.start(["/bin/sh", "-c", "sleep 1000 & echo $!; wait"], env={})
        other = int(await started.stdout.readline())
        await started.end()
        assert await started.wait() == -9
        await _ends(other)

    run(work())


async def _ends(pid: int) -> None:
    until = time.monotonic() + 10  # a process closes its pipes a moment before it has ended
    while not _has_ended(pid):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def _has_ended(pid: int) -> bool:
    """Say whether a process has ended; it may still wait for its parent, who is nobody here, to hear of it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_what_cannot_be_started_is_told(run: Run) -> None:
    async def work() -> None:
        with pytest.raises(OSError, match="No such file"):
            await child.start(["/nowhere/program"], env={})

    run(work())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root becomes another user")
def test_it_becomes_another_user(run: Run) -> None:
    async def work() -> None:
        started = await child.start(["/bin/sh", "-c", "id -u; id -G"], env={}, uid=65534)
        assert (await started.stdout.read()).split() == [b"65534", b"65534"]
        await started.end()

    run(work())


def test_a_child_that_has_left_its_group_ends_too(run: Run) -> None:
    """A box is like that while it is being set up: a run that is cancelled then would wait for it for ever."""

    async def work() -> None:
        code = "import os, time; print(os.fork() or os.setsid() or os.getpid(), flush=True); time.sleep(1000)"
        started = await child.start([sys.executable, "-I", "-c", code], env={})
        said = {int(await started.stdout.readline()) for _ in range(2)}
        await started.end()
        for pid in said:
            await _ends(pid)

    run(work())
