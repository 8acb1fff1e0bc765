"""The reviewer: says whether what was found is enough to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.errors import ModelOutputInvalid
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language


class Review(BaseModel):
    """The reviewer's verdict."""

    model_config = ConfigDict(extra="forbid")

    enough: bool
    missing: str = Field(max_length=200)


async def review(parts: AgentParts, material: str, language: Language) -> Review:
    """Review the material of an answer (passages, results, question).

    A reviewer that cannot be understood lets the work pass: the answer is still written from the material alone.

    Raises:
        ModelError: The model cannot be reached.
    """
    prompt = SystemMessage(parts.prompts.text("review", language))
    try:
        return await ask_json(parts.fast, [prompt, HumanMessage(material)], Review)
    except ModelOutputInvalid:
        return Review(enough=True, missing="")
