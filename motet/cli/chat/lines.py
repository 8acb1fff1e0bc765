"""Chat without a terminal's help: each line that comes in is a message, each answer goes out as text.

What does not live here: the prompt (`interactive`).
"""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from motet.cli import exit_codes
from motet.cli.chat.slash.base import Desk, as_command
from motet.cli.chat.transcript import MARK
from motet.cli.render.answers import RawAnswer, WholeAnswer
from motet.cli.render.notes import PlainNotes
from motet.cli.say import say
from motet.cli.session import console
from motet.errors import MotetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.cli.chat.conversation import Conversation
    from motet.cli.render.base import Renderer
    from motet.cli.render.outcome import Outcome


class LineChat:
    """Reads standard input to its end. Answers go to stdout, all else to stderr."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._desk = Desk(conversation, self._tell)
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._status = exit_codes.OK
        self._asked_to_leave = asyncio.Event()

    async def run(self) -> int:
        """Talk until the input ends or somebody leaves; return the exit status: the last failure's, or 0."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            threading.Thread(target=_read_lines, args=(loop, self._lines), daemon=True).start()
            self._conversation.warm_up()
            await self._finish_earlier()
            if await self._conversation.waiting():
                self._ask()
            while (line := await self._next_line()) is not None:
                if line.strip() and await self._take(line.strip()):
                    break
        finally:
            loop.remove_signal_handler(signal.SIGINT)
        return self._status

    async def _take(self, line: str) -> bool:
        """Do what a line says; True means that the person wants to leave."""
        line = as_command(line)
        try:
            if line.startswith("/"):
                then = await self._desk.run(line)
                if then.draft is not None or then.edit:
                    self._tell("Write the message on a line of its own.")
                return then.leave or (then.say is not None and await self._take(then.say))
            asking = self._conversation.asking
            if asking is not None and asking.draft(line) is not None:
                self._tell('Write it on one line: edit NAME=VALUE, or edit {"name": "value"}.')
                return False
            self._end(await self._conversation.say(line, self._renderers()))
        except MotetError as error:
            self._fail(error)
            self._ask()
        return False

    async def _finish_earlier(self) -> None:
        for run_id in await self._conversation.unfinished():
            say(f"run {run_id} of this conversation has not ended; it goes first")
            self._end(await self._conversation.finish(run_id, self._renderers()))

    def _end(self, outcome: Outcome) -> None:
        if outcome.status == "error":
            self._fail(MotetError.from_dict(outcome.error or {}))
        elif outcome.status == "cancelled":
            self._status = exit_codes.INTERRUPTED
            say("stopped")
        elif outcome.status == "interrupted":
            self._status = exit_codes.APPROVAL_NEEDED
            self._ask()

    def _ask(self) -> None:
        """Say what the last run asks: the next line is the answer, or a command of its own gives it later."""
        asking = self._conversation.asking
        for line in (*asking.lines(), asking.later()) if asking is not None else ():
            say(line)

    def _fail(self, error: MotetError) -> None:
        self._status = exit_codes.exit_code(error)
        say(error.message)

    def _interrupt(self) -> None:
        """Ctrl-C stops the run; where there is none, it leaves."""
        if self._conversation.busy:
            self._stopping = asyncio.get_running_loop().create_task(self._conversation.stop())
        else:
            self._status = exit_codes.INTERRUPTED
            sys.stderr.write("\n")
            self._lines.put_nowait(None)
            self._asked_to_leave.set()

    async def _next_line(self) -> str | None:
        if self._asked_to_leave.is_set():
            return None
        if sys.stdin.isatty():
            sys.stderr.write(MARK)
            sys.stderr.flush()
        return await self._lines.get()

    def _renderers(self) -> list[Renderer]:
        answer = RawAnswer(sys.stdout) if sys.stdout.isatty() else WholeAnswer(_write)
        return [answer, PlainNotes(sys.stderr)]

    def _tell(self, *renderables: Any) -> None:
        console(sys.stderr, plain=True).print(*renderables, sep="\n", soft_wrap=True)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Read standard input on a thread of its own: nothing waits for it when the chat ends."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    try:
        while data := os.read(sys.stdin.fileno(), 65536):
            *whole, rest = (rest + decoder.decode(data)).split("\n")
            _hand_over(loop, lines, whole)
        _hand_over(loop, lines, [rest, None])
    except (OSError, RuntimeError):  # closed, or the loop has ended
        return


def _hand_over(
    loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None], found: Sequence[str | None]
) -> None:
    for line in found:
        loop.call_soon_threadsafe(lines.put_nowait, line)
