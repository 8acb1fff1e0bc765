"""What stays in a thread's state, and what of it a model sees.

The state keeps the most recent messages only, so that turn 1,000 costs what turn 10 does; the transcript keeps all.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.graph.message import add_messages

from motet.storage.search import text_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import BaseMessage

Messages = list[AnyMessage]

PINNED_KEY = "pinned"
"""Key in a message's `additional_kwargs`, true for one that is pinned."""

EARLIER = "earlier"
"""Its value for one that is pinned after it has left the state: it comes back, before all others."""

MAX_PINNED = 4
"""Pinned messages that stay beyond the limit; older ones go."""


@cache  # never forgotten: LangGraph takes two reducers of one channel for a mistake
def recent(limit: int) -> Callable[[Messages, Messages], Messages]:
    """Make a reducer: LangGraph's `add_messages`, and then only the last `limit` messages or so.

    A cut never parts a tool's result from its call: it falls before a user's message where there is one, and so may
    leave a few messages fewer than `limit`. When one turn alone is longer than the limit, it is kept whole. Pinned
    messages stay, `MAX_PINNED` of them.
    """

    def reduce(left: Messages, right: Messages) -> Messages:
        merged: Messages = add_messages(left, right)  # pyright: ignore[reportAssignmentType, reportArgumentType]
        known = {message.id for message in left}
        back = [m for m in merged if m.additional_kwargs.get(PINNED_KEY) == EARLIER and m.id not in known]
        if back:
            merged = [*back, *(m for m in merged if not any(m is one for one in back))]
        if len(merged) <= limit:
            return merged
        cut = _cut(merged, len(merged) - limit)
        return [*[m for m in merged[:cut] if is_pinned(m)][-MAX_PINNED:], *merged[cut:]]

    return reduce


def is_pinned(message: BaseMessage) -> bool:
    """Say whether a message is pinned: it stays in the state and in what models see, however old it is."""
    return message.additional_kwargs.get(PINNED_KEY) in (True, EARLIER)


def _cut(messages: Sequence[BaseMessage], least: int) -> int:
    """Return where to cut: the first user's message from `least` on, or the newest turn's beginning."""
    turns = [i for i, message in enumerate(messages) if isinstance(message, HumanMessage)]
    later = [i for i in turns if i >= least]
    return later[0] if later else (turns[-1] if turns else _call_of(messages, least))


def _call_of(messages: Sequence[BaseMessage], at: int) -> int:
    """Return where the call stands whose results include position `at`; `at` itself where there is no result."""
    while at > 0 and isinstance(messages[at], ToolMessage):
        at -= 1
    return at


def visible(
    messages: Sequence[BaseMessage],
    *,
    max_width: int,
    size: Callable[[BaseMessage], int] = lambda message: text_width(message.text),
) -> list[BaseMessage]:
    """Return the newest messages whose text fits into `max_width` columns (a CJK character takes two).

    The last message is always there, and a tool's result never without its call. While a turn is under way (the
    last message is a tool's result), so is the user's message that began it, whatever was left out between.
    Width stands for tokens: a token is about four columns of English and two of Chinese. With a `size` of its own, as
    one that counts tokens, `max_width` is in its units.
    """
    start = _first_that_fits(messages, max_width, size)
    if start < len(messages) and isinstance(messages[start], ToolMessage):
        later = (i for i in range(start, len(messages)) if not isinstance(messages[i], ToolMessage))
        start = next(later, _call_of(messages, start))
    kept = list(messages[start:])
    if kept and isinstance(kept[-1], ToolMessage):
        asked = next((m for m in reversed(messages) if isinstance(m, HumanMessage)), None)
        if asked is not None and not any(m is asked for m in kept):
            kept.insert(0, asked)
    return kept


def _first_that_fits(
    messages: Sequence[BaseMessage], max_width: int, size: Callable[[BaseMessage], int]
) -> int:
    """Return the position from which on all messages fit; the last one always does."""
    total = 0
    start = len(messages)
    for i in range(len(messages) - 1, -1, -1):
        total += size(messages[i])
        if total > max_width and i < len(messages) - 1:
            break
        start = i
    return start


def last_user_text(messages: Sequence[BaseMessage]) -> str:
    """Return the text of the newest user's message; "" when there is none."""
    return next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")


def dialogue(messages: Sequence[BaseMessage], *, max_width: int) -> str:
    """Return the conversation before the newest user's message as lines of `user: …` and `assistant: …`."""
    turns = [m for m in messages if isinstance(m, HumanMessage) or (isinstance(m, AIMessage) and m.text)]
    while turns and not isinstance(turns[-1], HumanMessage):
        turns.pop()
    names = {"human": "user", "ai": "assistant"}
    kept = visible(turns[:-1], max_width=max_width)
    return "\n".join(f"{names[m.type]}: {m.text.strip()}" for m in kept)
