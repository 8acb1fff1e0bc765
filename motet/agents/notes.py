"""Memories as a model sees them: notes beside the user's message, quoted, each with who said it and when.

What does not live here: which memories (`motet.memory.recall`). Notes never enter a system prompt: there a model
takes words for orders, and a memory is data, whoever said it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language
    from motet.memory.fact import Memory

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "user": "the user said so",
        "agent": "noted by an agent",
        "untrusted": "from {origin}, not checked",
    },
    "zh": {"user": "用户所说", "agent": "助手所记", "untrusted": "来自 {origin}，未经核实"},
}


def notes_text(parts: AgentParts, memories: Sequence[Memory], language: Language) -> str:
    """Return memories as a block of quoted lines under a heading that says what they are; "" when there are none."""
    if not memories:
        return ""
    lines = "\n".join(f"- {_line(memory, language)}" for memory in memories)
    return parts.prompts.text("memories", language, notes=lines)


def with_notes(
    parts: AgentParts, messages: Sequence[BaseMessage], memories: Sequence[Memory], language: Language
) -> list[BaseMessage]:
    """Return the messages with the notes before the newest user's message, in one message with it.

    One message, since some models refuse two of the same role in a row.
    """
    notes = notes_text(parts, memories, language)
    shown = list(messages)
    at = next((i for i in reversed(range(len(shown))) if isinstance(shown[i], HumanMessage)), None)
    if notes and at is not None:
        heading = parts.prompts.text("memories_then", language)
        shown[at] = shown[at].model_copy(update={"content": f"{notes}\n\n{heading}\n{shown[at].text}"})
    return shown


def _line(memory: Memory, language: Language) -> str:
    """Return one memory on one line, quoted: nothing in it can end the quotation or begin a line."""
    day = datetime.fromtimestamp(memory.updated_at, UTC).date().isoformat()
    origin = json.dumps(memory.source.origin or memory.author, ensure_ascii=False)
    who = _WORDS[language][memory.trust].format(origin=origin)
    text = json.dumps(" ".join(memory.text.split()), ensure_ascii=False)
    return f"{text} ({who}, {day})"
