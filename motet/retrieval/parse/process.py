"""The parser that agents' documents go through: one child process, kept for the next file, replaced after trouble.

What does not live here: what the child does (`child`) and takes away from itself (`limits`), and how it is started,
in the sandbox or outside of it (`launch`).
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import motet
from motet.errors import DocumentUnreadable
from motet.retrieval.load import is_known
from motet.retrieval.parse.base import ParseLimits
from motet.retrieval.parse.command import CommandParser
from motet.retrieval.parse.launch import Launcher, NotStarted
from motet.retrieval.parse.wire import MAX_HEAD_BYTES, PREFIX, BrokenAnswer, decode_head, encode, to_document
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.retrieval.base import LoadedDocument
    from motet.retrieval.parse.base import Parser, Process
    from motet.sandbox.box import Sandbox
    from motet.settings import RetrievalSettings

MAX_DOCUMENTS = 1_000
"""Documents that one process reads before it is replaced."""

_ELSE = "Save its text and add that instead."


def build_parser(
    settings: RetrievalSettings,
    commands: Mapping[str, Sequence[str]] | None = None,
    *,
    sandbox: Sandbox | None = None,
) -> Parser:
    """Return the parser that the settings describe; nothing is started before the first document.

    Args:
        settings: The limits.
        commands: The operator's own command for each ending; see `CommandParser`.
        sandbox: Where documents are read, unless the settings switch that off; None reads them outside of one, under
            limits only.
    """
    limits = ParseLimits(settings.parse_timeout_s, int(settings.parse_memory_mb * 1024 * 1024))
    launcher = build_launcher(settings, sandbox)
    process = ParserProcess(limits, launcher)
    if not commands:
        return process
    folders = [Path(folder.strip()) for folder in settings.parse_folders.split(",") if folder.strip()]
    return CommandParser(process, commands, limits, launcher=launcher, folders=folders)


def build_launcher(settings: RetrievalSettings, sandbox: Sandbox | None) -> Launcher:
    """Return what starts the processes that read documents."""
    mode = settings.parse_sandbox
    return Launcher(sandbox if mode != "off" else None, is_required=mode == "require")


class ParserProcess:
    """Parses in a child process; calls take turns.

    Args:
        limits: What one document may cost.
        launcher: Starts the process; outside of the sandbox unless given.
    """

    def __init__(self, limits: ParseLimits | None = None, launcher: Launcher | None = None) -> None:
        self.limits = limits or ParseLimits()
        self._launcher = launcher or Launcher()
        self._child: Process | None = None
        self._served = 0
        self._turn: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def reads(self, path: Path) -> bool:
        """See `Parser.reads`."""
        return is_known(path)

    def signature(self, path: Path) -> str:  # noqa: ARG002  # the same for every ending
        """See `Parser.signature`."""
        where = "outside" if self._launcher.sandbox is None else "sandbox"
        return f"motet {motet.__version__} {where} {self.limits}"

    async def parse(self, data: bytes, path: Path) -> LoadedDocument:
        """See `Parser.parse`. A crash that an earlier document may have caused gets a second try, in a new process."""
        async with self._lock():
            used = self._served > 0
            try:
                return await self._parse(data, path)
            except _ChildDied as died:
                if not used:
                    raise unreadable(path, f"what reads it broke off ({died})", _ELSE) from None
            try:
                return await self._parse(data, path)
            except _ChildDied as died:
                raise unreadable(path, f"what reads it broke off ({died})", _ELSE) from None

    async def aclose(self) -> None:
        """See `Parser.aclose`; a document that is just being read is waited for."""
        async with self._lock():
            await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        self._served = 0
        if child is not None:
            await child.end()

    def _lock(self) -> asyncio.Lock:
        """Return the lock of this event loop; a process of another loop is left to end with its pipes."""
        loop = asyncio.get_running_loop()
        if self._turn is None or self._loop is not loop:
            self._turn, self._loop, self._child, self._served = asyncio.Lock(), loop, None, 0
        return self._turn

    async def _parse(self, data: bytes, path: Path) -> LoadedDocument:
        child = await self._running()
        done = False
        try:
            async with asyncio.timeout(self.limits.wall_s):
                head, body = await self._ask(child, data, path)
                document = to_document(head, body)
            done = not head.get("tired") and self._served < MAX_DOCUMENTS
        except TimeoutError:
            raise unreadable(
                path, f"reading took more than {self.limits.wall_s:g} s", "Split it into smaller parts."
            ) from None
        except BrokenAnswer as error:
            raise unreadable(path, f"what reads it answered nonsense ({error})", _ELSE) from None
        except DocumentUnreadable as refusal:
            done = bool(refusal.fields.pop("_clean", False))
            raise
        finally:
            if not done:
                await self._end()
        return document

    async def _running(self) -> Process:
        if self._child is None or self._child.has_ended:
            await self._end()
            try:
                self._child = await self._launcher.start(self.limits)
            except NotStarted as error:
                raise _ChildDied(str(error)) from None
            except TimeoutError:
                raise _ChildDied("it did not start") from None
        return self._child

    async def _ask(self, child: Process, data: bytes, path: Path) -> tuple[dict[str, Any], bytes]:
        """Return the head and the body of the answer.

        Raises:
            DocumentUnreadable: The child refused the document.
            BrokenAnswer: The answer is too large, or none that a child of ours gives.
            _ChildDied: There was no whole answer.
        """
        self._served += 1
        try:
            child.stdin.write(encode({"path": str(path)}, data))
            await child.stdin.drain()
            head_size, body_size = PREFIX.unpack(await child.stdout.readexactly(PREFIX.size))
            if head_size > MAX_HEAD_BYTES or body_size > self.limits.output_bytes:
                raise BrokenAnswer(f"{body_size:,} bytes")
            head = decode_head(await child.stdout.readexactly(head_size))
            body = await child.stdout.readexactly(body_size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _ChildDied(_last_words(await child.wait())) from None
        if "refused" in head:
            raise _refusal(head["refused"], path)
        if "broken" in head:
            raise _broken(str(head["broken"]), path)
        return head, body


class _ChildDied(Exception):  # it never leaves this file
    """The process ended before it answered."""


def _refusal(told: Any, path: Path) -> DocumentUnreadable:
    """Return the child's own refusal; its words are cut, since what it read may have written them."""
    message = str(told.get("message", "")) if isinstance(told, dict) else ""  # pyright: ignore[reportUnknownMemberType]
    fields: dict[str, Any] = told.get("fields") or {} if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownMemberType]
    shown = "".join(c if c.isprintable() else " " for c in message)[:1000]
    reason = "".join(c if c.isprintable() else " " for c in str(fields.get("reason", "")))[:500]
    return DocumentUnreadable(shown, path=str(fields.get("path", path))[:4096], reason=reason, _clean=True)


def _broken(what: str, path: Path) -> DocumentUnreadable:
    if what == "memory":
        return unreadable(path, "reading it takes too much memory", _ELSE)
    return unreadable(path, f"its loader failed ({what[:300]})", _ELSE)


def _last_words(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
