"""The router: decides whether a message takes the short way or needs a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict

from motet.memory.window import dialogue, last_user_text
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language

HISTORY_WIDTH = 1200
"""Columns of earlier conversation that the router sees: enough to tell a follow-up."""


class Route(BaseModel):
    """Which way a message goes."""

    model_config = ConfigDict(extra="forbid")

    route: Literal["direct", "plan"]
    personal: bool
    """The user told something about themselves that is worth remembering."""


async def choose_route(parts: AgentParts, messages: Sequence[BaseMessage], language: Language) -> Route:
    """Choose the way of the newest user's message, in the light of what was said before it.

    Raises:
        ModelError: The model cannot be reached, or does not answer in the asked shape.
    """
    prompt = SystemMessage(parts.prompts.text("route", language))
    before = dialogue(messages, max_width=HISTORY_WIDTH)
    asked = last_user_text(messages)
    text = f"{before}\nuser: {asked}" if before else f"user: {asked}"
    return await ask_json(parts.model_of("router"), [prompt, HumanMessage(text)], Route)
