"""Processes under measurement: started, waited for, their CPU time read with that of their children, and ended."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READY_S = 180
"""Longest that a server may take to listen."""


def free_port() -> int:
    """Return a loopback port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(command: Sequence[str], port: int, folder: Path, **variables: str) -> Iterator[int]:
    """Start a server and yield its process's id when its port answers; it ends with the context.

    Raises:
        RuntimeError: It ended, or did not listen in time; the message has its last lines.
    """
    log = folder / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=folder,
            env=child_environment(**variables),
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    raise RuntimeError(f"it does not listen: {' / '.join(lines[-3:])[:300]}")


def tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process and its children took so far, those that ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return own + sum(tree_cpu_s(int(child)) for child in children if Path(f"/proc/{child}").exists())


def rusage_of(command: Sequence[str], folder: Path, **variables: str) -> tuple[float, float]:
    """Run a command to its end; return its wall and CPU milliseconds, its children's included.

    Raises:
        CalledProcessError: It failed.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        env=child_environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s * 1e3, cpu_s * 1e3
