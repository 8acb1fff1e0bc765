"""Ctrl-C and SIGTERM, in processes of their own: the first asks, the second leaves."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, time
from motet.cli.stops import Stops

async def main(kind):
    with Stops() as stops:
        if kind == "well":
            ended = asyncio.Event()
            async def stop():
                print("asked", flush=True)
                await asyncio.sleep(0.05)
                ended.set()
            stops.stop_with(stop)
            print("ready", flush=True)
            await ended.wait()
        elif kind == "stuck":
            async def stop():
                pass
            stops.stop_with(stop)
            print("ready", flush=True)
            time.sleep(30)
        else:
            print("ready", flush=True)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                print("cancelled", flush=True)
        sys.exit(stops.status)

asyncio.run(main(sys.argv[1]))
"""


def start(kind: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, kind], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=20)
    return process.returncode, out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_asks(number: signal.Signals, status: int) -> None:
    process = start("well")
    process.send_signal(number)
    assert end(process) == (status, "asked\n")


def test_before_there_is_something_to_stop_the_task_is_cancelled() -> None:
    process = start("early")
    process.send_signal(signal.SIGINT)
    assert end(process) == (130, "cancelled\n")


def test_the_second_leaves_even_when_the_loop_is_stuck() -> None:
    process = start("stuck")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    assert end(process)[0] == 130
