"""Endings that a command of the operator's reads: it is given the file and prints its text.

What does not live here: where the table comes from (`settings`), and the command's way into the sandbox (`boxed`). No
shell sees the command. It runs in the sandbox where there is one; else under the limits of every parser, in a folder of
its own that holds a copy of the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from motet.retrieval.parse.boxed import run_boxed, with_file
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.retrieval.base import LoadedDocument
    from motet.retrieval.parse.base import ParseLimits, Parser
    from motet.retrieval.parse.launch import Launcher

_SEE = "See [loaders] in your settings file."


class CommandParser:
    """Reads some endings by commands, and all others as another parser does.

    Args:
        inner: Reads the other endings, and what commands print: markdown, or pages with form feeds between them.
        commands: The command of each ending (`.doc`), as arguments; `{path}` in them is the file. A command that
            names it nowhere is given it as its last argument.
        limits: What one document may cost.
        launcher: Knows whether there is a sandbox; without it commands run outside of one.
        folders: What commands are shown in the sandbox besides the system, read-only.
    """

    def __init__(
        self,
        inner: Parser,
        commands: Mapping[str, Sequence[str]],
        limits: ParseLimits,
        *,
        launcher: Launcher | None = None,
        folders: Sequence[Path] = (),
    ) -> None:
        self._inner = inner
        self._commands = {ending.lower(): list(command) for ending, command in commands.items()}
        self._limits = limits
        self._launcher = launcher
        self._folders = folders

    def reads(self, path: Path) -> bool:
        """See `Parser.reads`."""
        return path.suffix.lower() in self._commands or self._inner.reads(path)

    def signature(self, path: Path) -> str:
        """See `Parser.signature`."""
        command = self._commands.get(path.suffix.lower())
        told = self._inner.signature(path)
        return f"{told} {command} {list(map(str, self._folders))}" if command else told

    async def parse(self, data: bytes, path: Path) -> LoadedDocument:
        """See `Parser.parse`."""
        command = self._commands.get(path.suffix.lower())
        if command is None:
            return await self._inner.parse(data, path)
        program = shutil.which(command[0])
        if program is None:
            raise unreadable(path, f"the command '{command[0]}' that reads it is not there", _SEE)
        sandbox = await self._launcher.box() if self._launcher else None
        whole = [program, *command[1:]]
        if sandbox is None:
            printed = await self._run(whole, data, path)
        else:
            printed = await run_boxed(sandbox, whole, data, path, limits=self._limits, folders=self._folders)
        if not printed.strip():
            raise unreadable(path, f"'{command[0]}' printed no text for it", _SEE)
        return await self._inner.parse(printed, path.with_suffix(".txt" if b"\f" in printed else ".md"))

    async def aclose(self) -> None:
        """See `Parser.aclose`."""
        await self._inner.aclose()

    async def _run(self, command: list[str], data: bytes, path: Path) -> bytes:
        """Return what the command prints for the file."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="motet-"))
        try:
            copy = folder / f"document{path.suffix.lower()}"
            await asyncio.to_thread(copy.write_bytes, data)
            return await self._limited(with_file(command, str(copy)), folder, path)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _limited(self, command: list[str], folder: Path, path: Path) -> bytes:
        limits = self._limits
        numbers = (str(limits.memory_bytes), str(limits.wall_s), str(os.getpid()))
        whole = [sys.executable, "-I", "-m", "motet.retrieval.parse.limited", *numbers, *command]
        child = await asyncio.create_subprocess_exec(
            *whole,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)},
            cwd=folder,
            start_new_session=True,
        )
        assert child.stdout is not None
        parts: list[bytes] = []
        left = limits.output_bytes
        try:
            async with asyncio.timeout(limits.wall_s):
                while left >= 0 and (part := await child.stdout.read(65_536)):
                    parts.append(part)
                    left -= len(part)
                status = 0 if left < 0 else await child.wait()
        except TimeoutError:
            raise unreadable(
                path, f"'{Path(command[0]).name}' took more than {limits.wall_s:g} s", _SEE
            ) from None
        finally:
            await _end(child)
        if left < 0:
            raise unreadable(path, f"'{Path(command[0]).name}' printed too much", _SEE)
        if status:
            raise unreadable(path, f"'{Path(command[0]).name}' failed with status {status}", _SEE)
        return b"".join(parts)


async def _end(child: asyncio.subprocess.Process) -> None:
    """End the command and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
    pipes: object = child
    pipes._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
