"""State that Motet's graphs share: bounded messages in, bounded messages out.

`typing_extensions.TypedDict`, since LangGraph needs it on Python 3.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.messages import AnyMessage  # noqa: TC002  # LangGraph reads the state's types
from langgraph.config import get_config
from typing_extensions import TypedDict

from motet.agents.context import since
from motet.memory.history import Said  # noqa: TC001  # LangGraph reads the state's types
from motet.memory.window import last_user_text, recent
from motet.tools.policy.guard import note_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.memory.history import History
    from motet.memory.recall import Memories

RECENT_MESSAGES = 40
"""Messages that stay in a thread's state. The transcript keeps all."""


TURN_MESSAGES = 4
"""About what a turn adds to the state: older ones leave it soon, and are looked for in the transcript."""


class Conversation(TypedDict):
    """What every graph of Motet's takes and returns."""

    messages: Annotated[list[AnyMessage], recent(RECENT_MESSAGES)]


class LongConversation(Conversation):
    """A conversation with what a model is shown of it besides its newest messages."""

    memories: list[str]
    """Ids alone: what is forgotten later must not stay behind in a checkpoint."""
    earlier: dict[str, str]
    """What of the conversation is summed up; see `agents.context`."""
    found: list[Said]
    """Older messages that belong to what is asked in this turn."""


async def look_back(
    history: History | None, messages: Sequence[AnyMessage], earlier: dict[str, str]
) -> list[Said]:
    """Find older messages that are not shown any more; nobody looks while all of them are."""
    if history is None or not (earlier or len(messages) >= RECENT_MESSAGES - TURN_MESSAGES):
        return []
    thread_id = str((get_config().get("configurable") or {}).get("thread_id", ""))
    known = {m.id or "" for m in since(messages, earlier)}
    return await history.find(thread_id, last_user_text(messages), known=known)


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
