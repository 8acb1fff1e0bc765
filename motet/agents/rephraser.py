"""The rephraser: a follow-up (`and for one adult?`) as a question that says by itself what it asks.

Whoever plans, looks up and answers is given that question; look-ups do not see the conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.errors import ModelOutputInvalid
from motet.memory.window import dialogue, last_user_text
from motet.models.structured import ask_json
from motet.storage.search import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language

HISTORY_WIDTH = 1_500
"""Columns of conversation that are looked at."""

ALONE_WIDTH = 160
"""A question this long says by itself what it asks."""


class Question(BaseModel):
    """What the user asks, in one sentence."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=2, max_length=400)


async def stand_alone(
    parts: AgentParts, messages: Sequence[BaseMessage], language: Language, *, known: str = ""
) -> str:
    """Return the user's last question so that it can be understood without the conversation.

    The first question of a conversation, and a long one, are returned as they are; so is one that the model cannot
    rephrase. `known` is what else of the conversation is shown, before its newest lines (`context.background`).

    Raises:
        ModelError: The model cannot be reached.
    """
    asked = last_user_text(messages)
    earlier = dialogue(messages, max_width=HISTORY_WIDTH)
    if not earlier or text_width(asked) >= ALONE_WIDTH:
        return asked
    told = f"{known}\n\n{earlier}" if known else earlier
    text = parts.prompts.text("rephrase_material", language, conversation=told, question=asked)
    prompt = parts.prompts.text("rephrase", language)
    try:
        found = await ask_json(parts.fast, [SystemMessage(prompt), HumanMessage(text)], Question)
    except ModelOutputInvalid:
        return asked
    return found.question.strip() or asked
