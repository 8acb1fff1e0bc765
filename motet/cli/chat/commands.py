"""Slash commands: one table, one method each.

What does not live here: keys (`interactive`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.chat.transcript import transcript
from motet.cli.lists import ID_CHARS
from motet.cli.render import wording
from motet.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import RenderableType

    from motet.cli.chat.conversation import Conversation
    from motet.runs.request import ThreadRecord

COMMANDS = {
    "/help": "what can be done here",
    "/threads [QUERY]": "list conversations, or search all of them",
    "/resume N|ID": "go on with another conversation: its number in the list, its id, or its title",
    "/new": "begin a new conversation",
    "/rename TITLE": "give this conversation another title",
    "/quit": "leave; the conversation is kept",
}
"""Every command and what it does."""

LEAVING = frozenset({"/new", "/resume"})
"""Commands that go to another conversation: they wait for the answers that are on their way."""

KEYS = {
    "Enter": "send",
    "Esc Enter, Alt-Enter": "new line",
    "Ctrl-C": "clear what is written, else stop the run, else (twice) leave",
    "Ctrl-D": "leave",
}

LISTED = 20
SHOWN_AFTER_RESUME = 6


class Commands:
    """Runs slash commands on a conversation. What they have to say goes to `tell`."""

    def __init__(self, conversation: Conversation, tell: Callable[..., None]) -> None:
        self._conversation = conversation
        self._tell: Callable[..., None] = tell
        self._listed: list[str] = []
        self._table: dict[str, Callable[[str], Awaitable[bool | None]]] = {
            "/help": self._help,
            "/threads": self._threads,
            "/resume": self._resume,
            "/new": self._new,
            "/rename": self._rename,
            "/quit": self._quit,
        }

    async def run(self, line: str) -> bool:
        """Run one command line; True means that the person wants to leave.

        Raises:
            MotetError: The command is unknown, or could not be done.
        """
        name, _, argument = line.strip().partition(" ")
        if name not in self._table:
            raise InvalidInput(f"Unknown command '{name}'.{did_you_mean(name, self._table)}")
        return bool(await self._table[name](argument.strip()))

    async def _help(self, _argument: str) -> None:
        width = max(len(usage) for usage in (*COMMANDS, *KEYS))
        for usage, meaning in (*COMMANDS.items(), *KEYS.items()):
            self._tell(_row(usage.ljust(width), meaning))

    async def _threads(self, query: str) -> None:
        records = self._conversation.app.records
        if query:
            found = await records.search(query, limit=LISTED)
            threads = list({thread.thread_id: thread for thread, _ in found}.values())
        else:
            threads = await records.threads(limit=LISTED)
        self._listed = [thread.thread_id for thread in threads]
        if not threads:
            self._tell(Text(f"No conversation has '{query}'." if query else "No conversations yet."))
        for number, thread in enumerate(threads, 1):
            self._tell(_row(f"{number:>2}  {thread.thread_id[:ID_CHARS]}", _describe(thread, time.time())))

    async def _resume(self, name: str) -> None:
        if not name:
            raise InvalidInput("Write which conversation: /resume N (from /threads), an id, or a title.")
        if name.isdecimal() and 1 <= int(name) <= len(self._listed):
            name = self._listed[int(name) - 1]
        thread = await self._conversation.resume(name)
        self._tell(Text(f"Going on with “{thread.title}”.", style="bold"))
        self._tell(*transcript(await self._conversation.messages(SHOWN_AFTER_RESUME)))

    async def _new(self, _argument: str) -> None:
        self._conversation.begin_anew()
        self._tell(Text("A new conversation begins with your next message.", style="bold"))

    async def _rename(self, title: str) -> None:
        await self._conversation.rename(title)
        self._tell(Text(f"Renamed to “{title}”."))

    async def _quit(self, _argument: str) -> bool:
        return True


def _row(head: str, text: str) -> RenderableType:
    return Text.assemble((head, "cyan"), "  ", text)


def _describe(thread: ThreadRecord, now: float) -> str:
    facts = [wording.count(thread.messages, "message"), wording.ago(thread.updated_at, now)]
    if thread.status != "idle":
        facts.append(thread.status)
    return f"{wording.clip(thread.title, 48)}  ({', '.join(facts)})"
