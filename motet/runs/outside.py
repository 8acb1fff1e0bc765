"""What of a run's input is not its caller's own words: what was pasted, attached, or sent on for somebody else.

What does not live here: what follows from it (`tools.policy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.tools.policy.pasted import UNTRUSTED_KEY, without_pasted

if TYPE_CHECKING:
    from motet.runs.request import RunJob
    from motet.tools.policy.guard import Guard


async def note_outside(guard: Guard, job: RunJob) -> None:
    """Have a run's guard know of its input, before anything reads it. Again after a crash changes nothing.

    A message is not the caller's own when it says so (`additional_kwargs[UNTRUSTED_KEY]`), when it holds a file or
    a picture, or when the whole run says so (`options.untrusted`).
    """
    messages: list[dict[str, Any]] = (job.input or {}).get("messages", [])
    if job.options.untrusted:
        await guard.note_read("what the run was given")
    for message in messages:
        if message.get("type") == "tool":
            await guard.note_read("a tool's result that was given")
        elif message.get("type") == "human" and (job.options.untrusted or is_outside(message)):
            await guard.note_outside(message["id"])
            await guard.note_read("pasted material")
        elif isinstance(content := message.get("content"), str) and without_pasted(content) != content:
            await guard.note_read("pasted material")


def is_outside(message: dict[str, Any]) -> bool:
    """Say whether a message, as plain JSON, is or holds what is not its sender's own."""
    if (message.get("additional_kwargs") or {}).get(UNTRUSTED_KEY):
        return True
    content = message.get("content")
    blocks: list[Any] = content if isinstance(content, list) else []
    return any(isinstance(block, dict) and block.get("type") != "text" for block in blocks)
