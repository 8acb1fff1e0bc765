"""Slash commands that write files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from motet.errors import InvalidInput
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
