"""The table of slash commands, and what one is given and gives back.

What does not live here: what a command does (a file a subject), and keys (`motet.cli.chat.interactive`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from motet.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import RenderableType

    from motet.cli.chat.conversation import Conversation


class Command(NamedTuple):
    """One line of the table."""

    usage: str
    """How it is written, its arguments in capitals: `/threads [QUERY]`."""
    meaning: str
    target: str
    """Import string of an async function `(desk, argument) -> Then | None`."""
    waits: bool = False
    """Whether it waits for the answers that are on their way: it changes what the next message goes on from."""


@dataclass(frozen=True, slots=True)
class Then:
    """What follows a command. Nothing, unless a field says so."""

    leave: bool = False
    """The person wants to leave."""
    say: str | None = None
    """This is sent as if the person had typed it."""
    draft: str | None = None
    """This stands at the prompt, to be changed and sent."""
    edit: bool = False
    """The draft is opened in the person's editor."""


_HERE = "motet.cli.chat.slash"

COMMANDS = (
    Command("/help", "what can be done here", f"{_HERE}.about:show_help"),
    Command("/threads [QUERY]", "list conversations, or search all of them", f"{_HERE}.threads:list_threads"),
    Command(
        "/resume N|ID",
        "go on with another conversation: its number in the list, its id, or its title",
        f"{_HERE}.threads:resume",
        waits=True,
    ),
    Command("/new", "begin a new conversation", f"{_HERE}.threads:begin_anew", waits=True),
    Command("/rename TITLE", "give this conversation another title", f"{_HERE}.threads:rename"),
    Command("/turns", "list the turns of this conversation", f"{_HERE}.turns:list_turns"),
    Command("/fork [TURN]", "go on in a copy that ends after this turn", f"{_HERE}.turns:fork", waits=True),
    Command(
        "/rewind [TURN]",
        "go back to the end of this turn; the one before the last",
        f"{_HERE}.turns:rewind",
        waits=True,
    ),
    Command("/retry", "take the last answer back and ask the same again", f"{_HERE}.turns:retry", waits=True),
    Command(
        "/edit [TEXT]",
        "take the last turn back, change what was said, and send it",
        f"{_HERE}.turns:edit",
        waits=True,
    ),
    Command("/editor", "write the message in your editor ($VISUAL or $EDITOR)", f"{_HERE}.about:open_editor"),
    Command("/export FILE", "write this conversation: .md, .html, .json or .jsonl", f"{_HERE}.files:export"),
    Command("/plan", "show the last plan, step by step", f"{_HERE}.about:show_plan"),
    Command("/sources", "show the passages that the last answer cites", f"{_HERE}.about:show_sources"),
    Command("/usage", "show what the last answer and this conversation took", f"{_HERE}.about:show_usage"),
    Command("/model [SPEC]", "show the model, or use another from now on", f"{_HERE}.about:choose_model"),
    Command("/graph [NAME]", "show the graphs, or use another from now on", f"{_HERE}.about:choose_graph"),
    Command("/tools", "list the tools that agents may call", f"{_HERE}.about:list_tools"),
    Command("/memory [QUERY]", "list or search what is remembered", f"{_HERE}.about:show_memory"),
    Command("/quit", "leave; the conversation is kept", f"{_HERE}.about:leave"),
)
"""Every command, in the order that `/help` shows."""


def name_of(line: str) -> str:
    """Return the command that a line names: its first word."""
    return line.strip().partition(" ")[0]


def find(line: str) -> Command:
    """Return the command that a line begins with.

    Raises:
        InvalidInput: There is none; the message names the nearest.
    """
    table = {name_of(command.usage): command for command in COMMANDS}
    name = name_of(line)
    if name not in table:
        raise InvalidInput(f"Unknown command '{name}'.{did_you_mean(name, table)}")
    return table[name]


@dataclass(slots=True)
class Desk:
    """What a command works with. What it has to say goes to `tell`."""

    conversation: Conversation
    tell: Callable[..., None]
    listed: list[str] = field(default_factory=list[str])
    """Ids of the threads that `/threads` showed last, in its order."""

    async def run(self, line: str) -> Then:
        """Run one command line.

        Raises:
            MotetError: The command is unknown, or could not be done.
        """
        command = find(line)
        module, _, name = command.target.partition(":")
        work: Callable[[Desk, str], Awaitable[Then | None]] = getattr(import_module(module), name)
        argument: Any = line.strip().partition(" ")[2].strip()
        return await work(self, argument) or Then()


def row(head: str, text: str) -> RenderableType:
    """Return a line of a list: what is typed, and what it means."""
    return Text.assemble((head, "cyan"), "  ", text)
