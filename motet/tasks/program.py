"""Running a program for the action `run`: an argument list, no shell, no secrets in its environment.

What does not live here: whether it may be run (`actions`: only in trusted files).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from motet.errors import ToolFailed
from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAX_OUTPUT_BYTES = 2_000_000
"""What is kept of a program's output."""


async def run_program(argv: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> str:
    """Run a program to its end; return what it wrote to standard output.

    `python` is the Python that Motet runs in. When this is cancelled, the program and its children are ended.

    Raises:
        ToolFailed: It cannot be started, or its exit status is not 0; the message has the end of what it wrote.
    """
    program = [sys.executable if argv[0] == "python" else argv[0], *argv[1:]]
    try:
        process = await asyncio.create_subprocess_exec(
            *program,
            cwd=folder,
            env=child_environment(**env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolFailed(
            f"'{argv[0]}' cannot be started: {getattr(error, 'strerror', None) or error}."
        ) from None
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = await asyncio.gather(_read(process.stdout), _read(process.stderr))
        status = await process.wait()
    except asyncio.CancelledError:
        _end(process)
        await process.wait()
        raise
    if status != 0:
        said = (err or out).decode("utf-8", "replace").strip()[-500:]
        raise ToolFailed(
            f"'{argv[0]}' ended with status {status}{': ' + said if said else '.'}", status=status
        )
    return out.decode("utf-8", "replace").rstrip("\n")


async def _read(stream: asyncio.StreamReader) -> bytes:
    """Read to the end, and keep the beginning."""
    kept = bytearray()
    while piece := await stream.read(65536):
        kept += piece[: MAX_OUTPUT_BYTES - len(kept)]
    return bytes(kept)


def _end(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
