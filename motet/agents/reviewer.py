"""The reviewer: says whether what was found is enough to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.errors import ModelOutputInvalid
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language


class Review(BaseModel):
    """The reviewer's verdict."""

    model_config = ConfigDict(extra="forbid")

    enough: bool
    missing: str = Field(max_length=200)


async def review(parts: AgentParts, brief: Sequence[BaseMessage], language: Language) -> Review:
    """Review what an answer would be written from: the writer's brief, with another last sentence.

    The brief comes first and unchanged, so that a server which caches prefixes reads it once for both.

    A reviewer that cannot be understood lets the work pass: the answer is still written from the material alone.

    Raises:
        ModelError: The model cannot be reached.
    """
    *before, last = brief
    asked = HumanMessage(f"{last.text}\n\n{parts.prompts.text('review', language)}")
    try:
        return await ask_json(parts.model_of("reviewer"), [*before, asked], Review)
    except ModelOutputInvalid:
        return Review(enough=True, missing="")
