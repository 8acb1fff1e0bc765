"""Makes a prompt shorter after its server said that it is longer than the model's window.

What does not live here: what a conversation shows of itself in the first place (`motet.memory.window`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

MAX_RESULT_CHARS = 1500
"""What is left of a longer tool's result."""

_GAP = "\n[…]\n"


def compacted(messages: Sequence[BaseMessage]) -> list[BaseMessage] | None:
    """Return a shorter prompt, or None when nothing can be left out.

    System messages and the last turn (from the user's last message on) stay; of what is between them the newer half
    stays, from a user's message on; long results of tools lose their middle.
    """
    head = [m for m in messages if isinstance(m, SystemMessage)]
    rest = [m for m in messages if not isinstance(m, SystemMessage)]
    last = max((i for i, m in enumerate(rest) if isinstance(m, HumanMessage)), default=0)
    earlier = rest[: last - (last // 2)] if last else []
    kept = rest[len(earlier) : last]
    while kept and not isinstance(kept[0], HumanMessage):
        kept = kept[1:]
    shorter = [*head, *(_shortened(m) for m in (*kept, *rest[last:]))]
    return shorter if sum(len(m.text) for m in shorter) < sum(len(m.text) for m in messages) else None


def _shortened(message: BaseMessage) -> BaseMessage:
    text = message.text
    if not isinstance(message, ToolMessage) or len(text) <= MAX_RESULT_CHARS:
        return message
    half = MAX_RESULT_CHARS // 2
    return message.model_copy(update={"content": text[:half] + _GAP + text[-half:]})
