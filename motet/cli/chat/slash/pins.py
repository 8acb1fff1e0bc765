"""Slash commands that pin what was said: the model is shown it for ever, however long the conversation gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.chat.slash.base import row
from motet.cli.render import wording

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk


async def pin(desk: Desk, turn: str) -> None:
    """Pin what was said in a turn; in the last one unless it is named."""
    _tell(desk, await desk.conversation.pin(turn or None, on=True))


async def unpin(desk: Desk, turn: str) -> None:
    """Take the pin off what was said in a turn."""
    _tell(desk, await desk.conversation.pin(turn or None, on=False))


def _tell(desk: Desk, pinned: list[str]) -> None:
    desk.tell(Text("Kept in mind:" if pinned else "Nothing is pinned.", style="bold"))
    for text in pinned:
        desk.tell(row("  •", wording.clip(text, 60)))
