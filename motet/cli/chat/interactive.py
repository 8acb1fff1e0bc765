"""Chat at a terminal: a prompt that stays, and above it the conversation in the terminal's own scrollback.

What does not live here: what is said about a run (`motet.cli.render`), and the prompt's keys (`prompt`).
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import run_in_terminal
from rich.text import Text

from motet.cli import exit_codes
from motet.cli.chat.completion import Completions
from motet.cli.chat.prompt import Prompt
from motet.cli.chat.slash.base import Desk, Then, as_command, find
from motet.cli.chat.slash.threads import SHOWN_AFTER_RESUME
from motet.cli.chat.transcript import question, transcript
from motet.cli.render import wording
from motet.cli.screen.prompt import PromptScreen
from motet.cli.view import repainting
from motet.errors import MotetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from pathlib import Path

    from prompt_toolkit.completion import Completion
    from prompt_toolkit.formatted_text import ANSI
    from rich.console import Console, RenderableType

    from motet.cli.chat.conversation import Conversation
    from motet.cli.render.base import Renderer
    from motet.cli.render.outcome import Outcome

OFFERED = 40
"""Most ways to go on that Tab shows."""

ARMED_S = 2.0
"""How long the first Ctrl-C at an empty prompt counts."""


class InteractiveChat:
    """One conversation after another at one terminal, until somebody leaves."""

    def __init__(
        self, begin: Callable[[], Awaitable[Conversation]], console: Console, *, greeting: str, home: Path
    ) -> None:
        self._begin = begin
        self._greeting = greeting
        self._completions = Completions()
        self._prompt = Prompt(
            home / "history",
            above=self._above,
            submit=self._submit,
            interrupt=self._interrupt,
            escape=self._escape,
            completer=self._completions,
            offer=self._offer,
            colors=console.color_system is not None,
        )
        self._screen = PromptScreen(console, self._prompt.redraw)
        self._conversation: Conversation | None = None
        self._begun = asyncio.Event()
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self._queued: list[str] = []
        self._armed_at = float("-inf")
        self._escaped_at = float("-inf")
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        """Talk until somebody leaves; return the exit status.

        The prompt comes first: the conversation is opened while the person types.

        Raises:
            MotetError: The conversation could not be opened.
        """
        self._screen.note(Text(self._greeting, style="dim"))
        await self._screen.drain()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._prompt.leave, exit_codes.TERMINATED)
        work = loop.create_task(self._work())
        work.add_done_callback(self._ended)
        try:
            return await self._prompt.run()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            if self._conversation is not None:
                await self._conversation.stop()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self._screen.drain()

    def _above(self) -> ANSI:
        return self._screen.above_prompt()

    def _submit(self, text: str) -> None:
        """Take what the person sent: messages in order, commands at once unless they leave the conversation."""
        if text.startswith("!"):
            self._start(self._shell(text[1:]))
            return
        text = as_command(text)
        if text.startswith("/") and not _waits(text):
            self._start(self._command(text))
            return
        self._queued.append(text)
        self._said.put_nowait(text)
        self._show_queue()

    async def _shell(self, command: str) -> None:
        """Run what the person wrote after `!`, on the terminal itself."""
        await run_in_terminal(lambda: subprocess.run(command, shell=True, check=False))  # noqa: S602  # their words

    def _offer(self, found: Sequence[Completion]) -> None:
        """Show how a word may go on: what explains itself in one line, the rest below each other."""
        told = [f"{one.text}  {one.display_meta_text}".strip() for one in found[:OFFERED]]
        if len(found) > OFFERED:
            told.append(f"… {len(found) - OFFERED} more")
        apart = any(one.display_meta_text for one in found)
        self._screen.note(Text(("\n" if apart else "  ").join(told), style="dim"))

    def _interrupt(self, draft: str) -> str:
        """Answer Ctrl-C; return the draft that stays."""
        loop = asyncio.get_running_loop()
        if draft:
            return ""
        if self._busy():
            return self._escape("")
        if self._asks_approval():
            self._submit("no")
            return ""
        if loop.time() - self._armed_at < ARMED_S:
            self._prompt.leave(exit_codes.INTERRUPTED)
            return ""
        self._armed_at = loop.time()
        self._hint("Ctrl-C again to leave")
        loop.call_later(ARMED_S, self._show_queue)
        return ""

    def _escape(self, draft: str) -> str:
        """Answer Esc: stop what is being answered; return the draft that stays. Twice: choose a turn to go back to."""
        if self._conversation is None or not self._busy():
            now = asyncio.get_running_loop().time()
            twice, self._escaped_at = now - self._escaped_at < ARMED_S, now
            if twice and not draft and self._conversation is not None:
                self._start(self._command("/turns"))
                return "/rewind "
            return draft
        self._start(self._conversation.stop())
        waiting = self._take_back()
        return draft or waiting

    def _busy(self) -> bool:
        return self._conversation is not None and self._conversation.busy

    def _asks_approval(self) -> bool:
        asking = self._conversation.asking if self._conversation is not None else None
        return asking is not None and asking.is_approval and not self._queued

    def _take_back(self) -> str:
        """Return the messages that wait, as a draft again, and forget them."""
        while not self._said.empty():
            self._said.get_nowait()
        waiting, self._queued = self._queued, []
        self._show_queue()
        return "\n".join(waiting)

    async def _work(self) -> None:
        """Open the conversation, finish what was left of it, then answer one message after the other."""
        await self._prompt.shown.wait()
        conversation = await self._begin()
        self._conversation = conversation
        self._desk = Desk(conversation, self._screen.note, copy=self._prompt.copy, paint=self._screen.paint)
        self._completions.know(conversation.app)
        self._begun.set()
        conversation.warm_up()
        await self._show_past(conversation)
        await self._finish_earlier(conversation)
        while True:
            text = await self._said.get()
            self._queued.remove(text)
            self._show_queue()
            if text.startswith("/"):
                await self._command(text)
            else:
                await self._say(conversation, text)

    async def _say(self, conversation: Conversation, text: str) -> None:
        changing = conversation.asking.draft(text) if conversation.asking is not None else None
        if changing is not None:
            self._prompt.draft(changing)
            self._screen.note(
                Text("Change the arguments and send them; Ctrl-X Ctrl-E opens your editor.", "dim")
            )
            return
        self._screen.answer(question(text))
        try:
            async with repainting(self._screen.refresh):
                self._end(await conversation.say(text, self._renderers()))
        except MotetError as error:
            self._fail(error)
            self._ask()

    async def _show_past(self, conversation: Conversation) -> None:
        thread = await conversation.record()
        if thread is not None:
            self._screen.note(Text(f"Going on with “{thread.title}”.", style="bold"))
            self._screen.note(*transcript(await conversation.messages(SHOWN_AFTER_RESUME)))
            if await conversation.waiting():
                self._ask()

    async def _finish_earlier(self, conversation: Conversation) -> None:
        try:
            for run_id in await conversation.unfinished():
                self._screen.note(
                    Text("A run of this conversation broke off. It is finished first:", style="yellow")
                )
                async with repainting(self._screen.refresh):
                    self._end(await conversation.finish(run_id, self._renderers()))
        except MotetError as error:
            self._fail(error)

    async def _command(self, line: str) -> None:
        await self._begun.wait()
        try:
            self._follow_up(await self._desk.run(line))
            if find(line).waits:
                self._ask()
        except MotetError as error:
            self._fail(error)

    def _follow_up(self, then: Then) -> None:
        """Do what a command left to do."""
        if then.say is not None:
            self._submit(then.say)
        if then.draft is not None:
            self._prompt.draft(then.draft)
        if then.edit:
            self._prompt.edit()
        if then.leave:
            self._prompt.leave(exit_codes.OK)

    def _end(self, outcome: Outcome) -> None:
        if outcome.status == "error":
            self._fail(MotetError.from_dict(outcome.error or {}))
        elif outcome.status == "cancelled":
            self._screen.note(Text("stopped", style="yellow"))
        self._ask()

    def _ask(self) -> None:
        """Show what the last run asks, if it does."""
        if self._conversation is not None and self._conversation.asking is not None:
            self._screen.note(*(Text(line, style="yellow") for line in self._conversation.asking.lines()))

    def _fail(self, error: MotetError) -> None:
        self._screen.note(Text(error.message, style="red"))

    def _renderers(self) -> list[Renderer]:
        from motet.cli.render.answers import ScreenAnswer
        from motet.cli.render.notes import ScreenNotes

        notes = ScreenNotes(self._screen)
        notes.begin()
        return [ScreenAnswer(self._screen), notes]

    def _show_queue(self) -> None:
        self._hint(f"{wording.count(len(self._queued), 'message')} waiting" if self._queued else "")

    def _hint(self, text: str) -> None:
        hint: RenderableType = Text(text, style="dim")
        self._screen.live("hint", (lambda: hint) if text else None)
        self._screen.refresh()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """End the chat with what a task failed with: going on without it would be a lie."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._prompt.fail(error)


def _waits(line: str) -> bool:
    """Say whether a command waits its turn; one that is unknown is told at once."""
    try:
        return find(line).waits
    except MotetError:
        return False
