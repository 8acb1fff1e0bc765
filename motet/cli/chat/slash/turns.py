"""Slash commands that go back in a conversation: real checkpoints, and nothing is lost by them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.chat.slash.base import Then, row
from motet.cli.chat.slash.threads import SHOWN_AFTER_RESUME
from motet.cli.chat.transcript import transcript
from motet.cli.render import wording
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from motet.cli.chat.slash.base import Desk
    from motet.runs.threads.values import Turn


async def list_turns(desk: Desk, _argument: str) -> None:
    """List the turns of this conversation, the newest last."""
    for turn in await _turns(desk):
        facts = [wording.ago(turn.at, time.time())] + (["now"] if turn.is_head else [])
        desk.tell(row(f"{turn.number:>3}", f"{wording.clip(turn.said, 60)}  ({', '.join(facts)})"))


async def fork(desk: Desk, turn: str) -> None:
    """Go on in a copy of this conversation that ends after a turn; the last one unless it is named."""
    await _turns(desk)
    thread = await desk.conversation.fork(turn or None)
    desk.tell(Text(f"Going on in a copy: “{thread.title}”. The other one stays as it is.", style="bold"))
    desk.tell(*transcript(await desk.conversation.messages(SHOWN_AFTER_RESUME)))


async def rewind(desk: Desk, turn: str) -> None:
    """Go back to the end of a turn; of the one before the last unless it is named."""
    turns = await _turns(desk)
    if not turn and len(turns) == 1:
        desk.conversation.begin_anew()
        desk.tell(
            Text("That was the only turn: a new conversation begins, and this one is kept.", style="bold")
        )
        return
    done = await desk.conversation.rewind(turn or str(len(turns) - 1))
    taken = wording.count(done.messages, "message")
    desk.tell(Text(f"Back at the end of turn {done.turn}; {taken} taken out.", style="bold"))
    desk.tell(
        Text(
            f"To have them back: motet threads fork {done.thread.thread_id[:8]} "
            f"--at {done.left_checkpoint_id}",
            style="dim",
        )
    )


async def undo(desk: Desk, _argument: str) -> None:
    """Take the last turn back."""
    await rewind(desk, "")


async def retry(desk: Desk, _argument: str) -> Then:
    """Take the last answer back and ask the same again."""
    last = (await _turns(desk))[-1]
    await rewind(desk, "")
    return Then(say=last.said)


async def edit(desk: Desk, text: str) -> Then:
    """Take the last turn back; what was said stands at the prompt again, or `text` is sent in its place."""
    last = (await _turns(desk))[-1]
    await rewind(desk, "")
    return Then(say=text) if text else Then(draft=last.said)


async def _turns(desk: Desk) -> list[Turn]:
    """Return the turns that are in the conversation now, at least one."""
    turns = await desk.conversation.turns()
    if not turns:
        raise InvalidInput("This conversation has no turns yet: say something first.")
    return turns
