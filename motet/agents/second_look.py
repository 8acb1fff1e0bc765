"""A second look of a small model: whether texts say what is looked for, asked alone and answered by yes or no.

What does not live here: what makes a look worth its time (`asked_words.repeats_missing`, `asked_words.asks_missing`).
Asked to note what a text says, a small model writes something; asked whether it says it, it is more often right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.errors import ModelOutputInvalid
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language

MAX_CHARS = 1600
"""Of the texts that are looked at."""


class Says(BaseModel):
    """Whether texts say what is looked for: named first, a small model judges better."""

    model_config = ConfigDict(extra="forbid")

    asked: str = Field(max_length=60)
    said: bool


async def is_said(parts: AgentParts, task: str, texts: Sequence[str], language: Language) -> bool:
    """Say whether texts say what a task looks for; True of a model that cannot be understood.

    Raises:
        ModelError: The model cannot be reached.
    """
    statements = " ".join(" ".join(texts).split())[:MAX_CHARS]
    text = parts.prompts.text("says_material", language, statements=statements, task=task)
    messages = [SystemMessage(parts.prompts.text("says", language)), HumanMessage(text)]
    try:
        return (await ask_json(parts.model_of("retriever"), messages, Says)).said
    except ModelOutputInvalid:
        return True
