"""Slash commands that write files, the clipboard, and the screen's colours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.markdown.themes import THEMES
from motet.errors import InvalidInput, did_you_mean
from motet.runs.threads.export import FORMS, export_text

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk
    from motet.runs.request import MessageRecord, ThreadRecord

EVERY_MESSAGE = 10_000_000


async def export(desk: Desk, name: str) -> None:
    """Write this conversation into a file; the file's ending says the form. What is there is not overwritten.

    Raises:
        InvalidInput: There is nothing to write, or it cannot be written there.
    """
    thread = await desk.conversation.record()
    if thread is None:
        raise InvalidInput("There is nothing to export yet: say something first.")
    messages = await desk.conversation.messages(EVERY_MESSAGE)
    path = await asyncio.to_thread(_write, name, thread, messages)
    desk.tell(Text(f"Wrote {path}."))


async def copy(desk: Desk, number: str) -> None:
    """Copy the last answer, or the N-th before it, as the markdown that it is.

    Raises:
        InvalidInput: There is no such answer, or no terminal whose clipboard could take it.
    """
    if number and not number.isdecimal():
        raise InvalidInput(f"'{number}' is no number: /copy copies the last answer, /copy 1 the one before.")
    back = int(number or 0)
    said = [m.text for m in await desk.conversation.messages(EVERY_MESSAGE) if m.role == "assistant"]
    if back >= len(said):
        raise InvalidInput(f"There are {len(said)} answers in this conversation; none to copy there.")
    if desk.copy is None:
        raise InvalidInput("There is no clipboard here. Write the conversation into a file: /export FILE.")
    text = said[-1 - back]
    desk.copy(text)
    desk.tell(Text(f"Copied {len(text):,} characters, if your terminal takes them (OSC 52)."))


async def theme(desk: Desk, name: str) -> None:
    """Show the colours that there are, or use others from now on.

    Raises:
        InvalidInput: There are none of this name, or no terminal.
    """
    if desk.paint is None:
        raise InvalidInput("There are no colours here: this is no terminal.")
    if not name:
        desk.tell(Text(f"Colours: {', '.join(THEMES)}."))
        return
    if name not in THEMES:
        raise InvalidInput(f"There are no colours '{name}'.{did_you_mean(name, THEMES)}")
    desk.paint(name)
    desk.tell(Text(f"Colours: {name}."))


def _write(name: str, thread: ThreadRecord, messages: list[MessageRecord]) -> Path:
    path = Path(name).expanduser()
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise InvalidInput(f"Write a file that ends in one of {' '.join(FORMS)}, not '{name}'.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(export_text(form, thread, messages))
    except FileExistsError:
        raise InvalidInput(f"{path} is there already. Choose another name.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from None
    return path
