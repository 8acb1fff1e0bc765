"""What of a long conversation a model is shown: a summary of its beginning, what is pinned, and what came since.

What does not live here: what stays in a thread's state (`memory.window`), and counting tokens (`models.tokenizer`).

The beginning of what is shown stays the same from turn to turn, so that a server that has read it need not read it
again: messages are only added, until they are too many. Then the older half is summed up, once, and the summary is
stored in the thread's state. So a turn costs the same however long the conversation is.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables.config import ensure_config

from motet.errors import MotetError
from motet.memory.window import is_pinned, visible
from motet.models.cassette import TAPE_KEY
from motet.models.tokens import MESSAGE_TOKENS, estimate_tokens, most_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language
    from motet.memory.history import Said
    from motet.models.base import ConnectedModel
    from motet.models.replay import Tape

_log = logging.getLogger(__name__)

SMALL_TOKENS = 1000
"""Conversation that a small model is shown: each thousand takes it seconds to read."""

LARGE_TOKENS = 8000
"""The most that any other is shown, unless set."""

UNKNOWN_TOKENS = 4000
"""Where a model's window is not known."""

SUMMARY_CHARS = 1200
"""The longest summary."""

SAID_CHARS = 400
"""What of an older message is shown that belongs to what is asked."""

SUMMED_CHARS = 1600
"""What of each message is summed up."""


def budget_of(model: ConnectedModel, history_tokens: int) -> int:
    """Return how many tokens of conversation a model is shown before the older half is summed up."""
    window = model.capabilities.context_tokens
    most = window // 2 if window else history_tokens or UNKNOWN_TOKENS
    if history_tokens:
        return min(history_tokens, most)
    if model.capabilities.small:
        return min(SMALL_TOKENS, most)
    return min(LARGE_TOKENS, window // 4) if window else UNKNOWN_TOKENS


def earlier_of(state: Mapping[str, Any]) -> dict[str, str]:
    """Return what of a thread's conversation is summed up; of a recorded run that is played, what was then."""
    tape: Tape | None = (ensure_config().get("configurable") or {}).get(TAPE_KEY)
    return state.get("earlier") or (tape.earlier if tape is not None else {})


async def sizes(model: ConnectedModel, messages: Sequence[BaseMessage], budget: int) -> list[int]:
    """Return how many tokens each message is, by the model's own tokenizer where there is one.

    Nobody is asked while they surely fit into the budget: then the sizes are the most that they can be.
    """
    texts = [_text(message) for message in messages]
    most = [most_tokens(text) + MESSAGE_TOKENS for text in texts]
    if sum(most) <= budget:
        return most
    counts = (
        await model.tokenizer.count(texts)
        if model.tokenizer is not None
        else [estimate_tokens(text) for text in texts]
    )
    return [count + MESSAGE_TOKENS for count in counts]


def since(messages: Sequence[BaseMessage], earlier: Mapping[str, str]) -> list[BaseMessage]:
    """Return the messages after those that were summed up; all where none was, or the last of them is gone."""
    until = earlier.get("until", "")
    place = next((i for i, m in enumerate(messages) if until and m.id == until), -1)
    return list(messages[place + 1 :])


async def shown(
    parts: AgentParts,
    agent: str,
    messages: Sequence[BaseMessage],
    language: Language,
    *,
    earlier: Mapping[str, str] | None = None,
    found: Sequence[Said] = (),
) -> list[BaseMessage]:
    """Return the conversation as an agent's model is shown it, what never changes first.

    Args:
        parts: The agents' parts.
        agent: Whose model.
        messages: A thread's state.
        language: Of the headings.
        earlier: What `condense` returned last; nothing was summed up unless given.
        found: Older messages that belong to what is asked now; they stand with the newest user's message.
    """
    model, earlier = parts.model_of(agent), earlier or {}
    budget = budget_of(model, parts.settings.history_tokens)
    newer = since(messages, earlier)
    counted = dict(zip(map(id, newer), await sizes(model, newer, budget), strict=True))
    kept = visible(newer, max_width=2 * budget, size=lambda message: counted[id(message)])
    left = [m for m in messages if not any(m is one for one in kept)]
    if found:
        newest = next((i for i in reversed(range(len(kept))) if isinstance(kept[i], HumanMessage)), 0)
        kept = _before(kept, newest, _found_text(parts, found, language))
    first = [
        text for text in (_summary_text(parts, earlier, language), pinned_text(parts, left, language)) if text
    ]
    return _before(kept, 0, "\n\n".join(first)) if first else kept


def background(
    parts: AgentParts,
    messages: Sequence[BaseMessage],
    language: Language,
    *,
    earlier: Mapping[str, str],
    found: Sequence[Said],
) -> str:
    """Return what `shown` shows besides the newest messages, as a text; "" where there is nothing."""
    texts = (
        _summary_text(parts, earlier, language),
        pinned_text(parts, messages, language),
        _found_text(parts, found, language),
    )
    return "\n\n".join(text for text in texts if text)


def pinned_text(parts: AgentParts, messages: Sequence[BaseMessage], language: Language) -> str:
    """Return what is pinned among some messages, under a heading; "" where nothing is."""
    turns = "\n".join(f"- {m.text}" for m in messages if is_pinned(m))
    return parts.prompts.text("pinned", language, turns=turns) if turns else ""


def _summary_text(parts: AgentParts, earlier: Mapping[str, str], language: Language) -> str:
    summary = earlier.get("summary")
    return parts.prompts.text("summary_note", language, summary=_quoted(summary)) if summary else ""


def _found_text(parts: AgentParts, found: Sequence[Said], language: Language) -> str:
    turns = "\n".join(f"- {one['role']}: {_quoted(one['text'][:SAID_CHARS])}" for one in found)
    return parts.prompts.text("earlier_turns", language, turns=turns) if turns else ""


async def condense(
    parts: AgentParts,
    agent: str,
    messages: Sequence[BaseMessage],
    earlier: Mapping[str, str],
    language: Language,
) -> dict[str, str]:
    """Sum up the older half of a conversation that has grown too long for a model; {} when it has not.

    Returns:
        `until`, the id of the last message that need not be shown any more, and `summary`, of all up to there. Without
        a summary (the model cannot write one) the old one stays, and the messages are left out all the same.
    """
    newer, counted, budget = await _counted(parts, agent, messages, earlier)
    if sum(counted) <= budget:
        return {}
    cut = _cut(newer, counted, budget // 2)
    if cut == 0 or not newer[cut - 1].id:
        return {}
    summary = await _sum_up(parts, newer[:cut], earlier.get("summary", ""), language)
    return {"until": str(newer[cut - 1].id), "summary": summary or earlier.get("summary", "")}


async def is_long(
    parts: AgentParts, agent: str, messages: Sequence[BaseMessage], earlier: Mapping[str, str]
) -> bool:
    """Say whether `condense` has something to do."""
    _, counted, budget = await _counted(parts, agent, messages, earlier)
    return sum(counted) > budget


async def _counted(
    parts: AgentParts, agent: str, messages: Sequence[BaseMessage], earlier: Mapping[str, str]
) -> tuple[list[BaseMessage], list[int], int]:
    """Return the messages that are not summed up, how many tokens each is, and how many all may be."""
    model = parts.model_of(agent)
    budget = budget_of(model, parts.settings.history_tokens)
    newer = since(messages, earlier)
    return newer, await sizes(model, newer, budget), budget


async def _sum_up(parts: AgentParts, messages: Sequence[BaseMessage], before: str, language: Language) -> str:
    if not parts.settings.summaries:
        return ""
    said = [m for m in messages if isinstance(m, HumanMessage | AIMessage) and m.text.strip()]
    turns = "\n".join(f"{_WHO[m.type]}: {_quoted(m.text[:SUMMED_CHARS])}" for m in said)
    prompt = [
        SystemMessage(parts.prompts.text("summary", language)),
        HumanMessage(parts.prompts.text("summary_turns", language, summary=before or "-", turns=turns)),
    ]
    try:
        reply = await parts.model_of("rememberer").chat.ainvoke(prompt, {"tags": ["nostream"]})
    except MotetError as error:
        _log.warning("a conversation is shortened without a summary: %s", error.message)
        return ""
    return " ".join(reply.text.split())[:SUMMARY_CHARS]


_WHO = {"human": "user", "ai": "assistant"}


def _cut(messages: Sequence[BaseMessage], counted: Sequence[int], keep: int) -> int:
    """Return where the part begins that stays: with a user's message, `keep` tokens or less; the newest turn stays."""
    turns = [i for i, message in enumerate(messages) if isinstance(message, HumanMessage)]
    for place in turns:
        if sum(counted[place:]) <= keep:
            return place
    return turns[-1] if turns else 0


def _before(messages: Sequence[BaseMessage], place: int, text: str) -> list[BaseMessage]:
    """Return the messages with a text before one of them, in one message with it where a user wrote that."""
    changed = list(messages)
    if place < len(changed) and isinstance(changed[place], HumanMessage):
        message = changed[place]
        content: Any = message.content
        joined = (
            f"{text}\n\n{content}" if isinstance(content, str) else [{"type": "text", "text": text}, *content]
        )
        changed[place] = message.model_copy(update={"content": joined})
        return changed
    return [*changed[:place], HumanMessage(text), *changed[place:]]


def _text(message: BaseMessage) -> str:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return message.text + (json.dumps(calls, ensure_ascii=False, default=str) if calls else "")


def _quoted(text: str) -> str:
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
