"""State that Motet's graphs share: bounded messages in, bounded messages out.

`typing_extensions.TypedDict`, since LangGraph needs it on Python 3.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.messages import AnyMessage  # noqa: TC002  # LangGraph reads the state's types
from typing_extensions import TypedDict

from motet.memory.window import recent
from motet.tools.policy.guard import note_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.memory.recall import Memories

RECENT_MESSAGES = 40
"""Messages that stay in a thread's state. The transcript keeps all."""


class Conversation(TypedDict):
    """What every graph of Motet's takes and returns."""

    messages: Annotated[list[AnyMessage], recent(RECENT_MESSAGES)]


def merge_results(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Merge the results of steps that ran side by side."""
    return {**left, **right}


async def recall(memories: Memories | None, asked: str) -> list[str]:
    """Return the ids of what is known about the user; the run is told where strangers' words are among it."""
    found = await memories.recall(asked) if memories else []
    if any(memory.trust == "untrusted" for memory in found):
        await note_read("a memory of what others wrote")
    return [memory.memory_id for memory in found]


def memory_ids(recalled: Sequence[Any]) -> list[str]:
    """Return the ids of what a turn recalled. A state of the first release holds whole facts."""
    return [found if isinstance(found, str) else str(found["memory_id"]) for found in recalled]
