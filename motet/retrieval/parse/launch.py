"""How the process that parses is started: in the sandbox where there is one, else with the limits that it takes itself.

What does not live here: what the process does (`child`), and whether a sandbox is there (`motet.sandbox.box`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.errors import SandboxUnavailable
from motet.retrieval.parse.base import ParseLimits
from motet.retrieval.parse.wire import PREFIX
from motet.sandbox.interpreter import this_interpreter
from motet.sandbox.recipe import Limits

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from motet.retrieval.parse.base import Process
    from motet.sandbox.box import Sandbox
    from motet.sandbox.child import Child

CODE = "from motet.retrieval.parse.child import main\nsys.exit(main())"
START_S = 60.0
"""Longest wait for a process to say that it is there."""
_CPU_S = 1_000_000
"""Of the process's whole life: it counts each document's seconds itself, and its parent has a clock."""
_SIGNALLED = 128
_SAID_BYTES = 10_000

_ALLOCATORS = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
"""An arena for each thread would take address space that the limit counts."""
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", **_ALLOCATORS}

logger = logging.getLogger(__name__)


@dataclass
class Launcher:
    """Starts parsing processes.

    Once one was there in the sandbox, none is ever started outside of it: no document can bring that about.
    """

    sandbox: Sandbox | None = None
    """None starts them outside."""
    is_required: bool = False
    """Nothing is started where there is no sandbox."""
    code: str = CODE
    """What the process runs; `sys` is imported."""
    _problem: str | None = field(default=None, init=False)

    async def start(self, limits: ParseLimits) -> Process:
        """Start a process that is ready for its first document.

        Raises:
            SandboxUnavailable: There is no sandbox, and one is required.
            NotStarted: It ended before it was ready.
            TimeoutError: It was not ready in time.
        """
        if self.sandbox is None:
            return await self._outside(limits)
        if not self._problem:
            try:
                process = await self._inside(self.sandbox, limits)
            except (SandboxUnavailable, NotStarted, OSError) as error:
                if self._problem == "":
                    raise
                self._problem = await _told(self.sandbox, error)
                if not self.is_required:
                    logger.warning(
                        "Documents are read outside of the sandbox, under limits. %s", self._problem
                    )
            else:
                self._problem = ""
                return process
        if self.is_required:
            raise no_sandbox(self._problem)
        return await self._outside(limits)

    async def box(self) -> Sandbox | None:
        """Return the sandbox, for a command that reads documents; None where it runs outside of one.

        Raises:
            SandboxUnavailable: There is none, and one is required.
        """
        problem = await self.sandbox.problem() if self.sandbox else ""
        if problem and self.is_required:
            raise no_sandbox(problem)
        return None if problem else self.sandbox

    async def problem(self) -> str:
        """Return why documents are not read in the sandbox; "" where they are. A process is started to see it."""
        if self.sandbox is None:
            return "MOTET_PARSE_SANDBOX is off."
        try:
            process = await self._inside(self.sandbox, ParseLimits())
        except (SandboxUnavailable, NotStarted, OSError) as error:
            return await _told(self.sandbox, error)
        await process.end()
        return ""

    async def _outside(self, limits: ParseLimits) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", f"import sys\n{self.code}", *_numbers(limits, os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        return await _ready(_Outside(process))

    async def _inside(self, sandbox: Sandbox, limits: ParseLimits) -> Process:
        python = this_interpreter()
        variables = [f"{name}={value}" for name, value in _ALLOCATORS.items()]
        command = ["/usr/bin/env", *variables, *python.command(self.code), *_numbers(limits, 0)]
        memory_mb = math.ceil(limits.memory_bytes / 2**20)
        room = Limits(cpu_s=_CPU_S, memory_mb=memory_mb, file_mb=1, open_files=64, box_mb=1, tmp_mb=1)
        return await _ready(_Inside(await sandbox.start(command, folders=python.folders, limits=room)))


class NotStarted(Exception):
    """A process ended before it was ready; what it said."""


def no_sandbox(problem: str) -> SandboxUnavailable:
    """Return the refusal to read documents, to be raised."""
    return SandboxUnavailable(
        f"No document is read: there is no sandbox here. {problem} 'motet doctor' shows what is missing; "
        "MOTET_PARSE_SANDBOX=auto reads documents without one, under limits."
    )


async def _told(sandbox: Sandbox, error: Exception) -> str:
    return await sandbox.problem() or f"This Python does not start in it: {str(error)[:300]}."


def _numbers(limits: ParseLimits, parent_pid: int) -> tuple[str, str, str]:
    return str(limits.memory_bytes), str(limits.wall_s), str(parent_pid)


async def _ready(process: _Outside | _Inside) -> Process:
    """Wait until a process says that it is there; it is ended where it does not."""
    try:
        async with asyncio.timeout(START_S):
            await process.stdout.readexactly(
                sum(PREFIX.unpack(await process.stdout.readexactly(PREFIX.size)))
            )
    except asyncio.IncompleteReadError:
        said = await process.last_words()
        await process.end()
        raise NotStarted(said) from None
    except BaseException:
        await process.end()
        raise
    return process


@dataclass
class _Outside:
    """A process of Motet's user."""

    _process: asyncio.subprocess.Process

    def __post_init__(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018
        self.stdin: StreamWriter = self._process.stdin
        self.stdout: StreamReader = self._process.stdout

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> int:
        return await self._process.wait()

    async def last_words(self) -> str:
        return f"status {await self.wait()}"

    async def end(self) -> None:
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
        with contextlib.suppress(ProcessLookupError):
            await self._process.wait()
        pipes: Any = self._process
        pipes._transport.close()  # noqa: SLF001  # nothing else closes the pipes of a process that is gone


@dataclass
class _Inside:
    """A process in the sandbox."""

    _child: Child

    def __post_init__(self) -> None:
        self.stdin: StreamWriter = self._child.stdin
        self.stdout: StreamReader = self._child.stdout

    @property
    def has_ended(self) -> bool:
        return self._child.has_ended

    async def wait(self) -> int:
        code = await self._child.wait()
        return _SIGNALLED - code if code > _SIGNALLED else code

    async def last_words(self) -> str:
        said = (await self._child.stderr.read(_SAID_BYTES)).decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(said) if line.strip()), "") or f"status {await self.wait()}"

    async def end(self) -> None:
        await self._child.end()
