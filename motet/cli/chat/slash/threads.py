"""Slash commands that go from one conversation to another, and name one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.chat.slash.base import row
from motet.cli.chat.transcript import transcript
from motet.cli.lists import ID_CHARS
from motet.cli.render import wording
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk
    from motet.runs.request import ThreadRecord

LISTED = 20
SHOWN_AFTER_RESUME = 6


async def list_threads(desk: Desk, argument: str) -> None:
    """List the newest conversations, or those that have these words in them, in any language, and these tags."""
    records = desk.conversation.app.records
    words = argument.split()
    tags = [word[1:] for word in words if word.startswith("#") and len(word) > 1]
    query = " ".join(word for word in words if not word.startswith("#"))
    if query:
        found = await records.search(query, limit=LISTED, tags=tags)
        threads = list({thread.thread_id: thread for thread, _ in found}.values())
    else:
        threads = await records.threads(limit=LISTED, tags=tags)
    desk.listed = [thread.thread_id for thread in threads]
    if not threads:
        desk.tell(Text(f"No conversation has '{argument}'." if argument else "No conversations yet."))
    for number, thread in enumerate(threads, 1):
        desk.tell(row(f"{number:>2}  {thread.thread_id[:ID_CHARS]}", _describe(thread, time.time())))


async def resume(desk: Desk, name: str) -> None:
    """Go on with another conversation, and show the end of it."""
    if not name:
        raise InvalidInput("Write which conversation: /resume N (from /threads), an id, or a title.")
    if name.isdecimal() and 1 <= int(name) <= len(desk.listed):
        name = desk.listed[int(name) - 1]
    thread = await desk.conversation.resume(name)
    desk.tell(Text(f"Going on with “{thread.title}”.", style="bold"))
    desk.tell(*transcript(await desk.conversation.messages(SHOWN_AFTER_RESUME)))


async def begin_anew(desk: Desk, _argument: str) -> None:
    """Leave this conversation; the next message begins another."""
    desk.conversation.begin_anew()
    desk.tell(Text("A new conversation begins with your next message.", style="bold"))


async def rename(desk: Desk, title: str) -> None:
    """Give this conversation another title."""
    await desk.conversation.rename(title)
    desk.tell(Text(f"Renamed to “{title}”."))


async def tag(desk: Desk, argument: str) -> None:
    """Tag this conversation, `#work`, and take tags away, `-#draft`; tell which it has.

    Raises:
        InvalidInput: Something is no tag, or there is no conversation yet.
    """
    words = argument.split()
    for word in words:
        if not word.removeprefix("-").startswith("#"):
            raise InvalidInput(f"'{word}' is no tag: write #{word.lstrip('+-')}, or -#{word.lstrip('+-')}.")
    thread = await desk.conversation.tag(
        add=[word[1:] for word in words if word[0] == "#"],
        remove=[word[2:] for word in words if word[0] == "-"],
    )
    desk.tell(Text(f"Tags: {_tags(thread)}" if thread.tags else "No tags."))


def _tags(thread: ThreadRecord) -> str:
    return " ".join(f"#{tag}" for tag in thread.tags)


def _describe(thread: ThreadRecord, now: float) -> str:
    facts = [wording.count(thread.messages, "message"), wording.ago(thread.updated_at, now)]
    if thread.status != "idle":
        facts.append(thread.status)
    if thread.tags:
        facts.append(_tags(thread))
    return f"{wording.clip(thread.title, 48)}  ({', '.join(facts)})"
