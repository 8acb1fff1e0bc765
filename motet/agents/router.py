"""The router: decides whether a message takes the short way or needs a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict

from motet.agents.rememberer import speaks_of_self
from motet.memory.window import dialogue, last_user_text
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language

HISTORY_WIDTH = 1200
"""Columns of earlier conversation that the router sees: enough to tell a follow-up."""


_SMALL_TALK = re.compile(
    r"(?:(?:hi|hello|hey|there|good|morning|afternoon|evening|night|thanks|thank|you|so|very|much|a|lot|all|everyone"
    r"|bye|goodbye|okay|ok|great|motet|你们|你|您|好|大家|嗨|哈喽|早上|早|上午|中午|下午|晚上|晚安|非常|多谢|谢谢|感谢"
    r"|再见|拜拜|的|了|啊|呀)(?![a-z])[\W_]*)+",
    re.IGNORECASE,
)

_ASKS = re.compile(
    r"[?？]|\b(?:what|how|who|whom|whose|which|when|where|why|whether|if|tell|show|find|look|know|give|list|explain"
    r"|search|check|summari[sz]e|please|need|want|would like)\b"
    r"|什么|怎|如何|谁|哪|几|多少|多久|多长|吗|呢|是否|能不能|可不可以|是不是|有没有|为何|告诉|请|查|想|要|帮|给我|介绍|解释|列出",
    re.IGNORECASE,
)


class Route(BaseModel):
    """Which way a message goes."""

    model_config = ConfigDict(extra="forbid")

    route: Literal["direct", "plan"]
    personal: bool
    """The user told something about themselves that is worth remembering."""


async def choose_route(parts: AgentParts, messages: Sequence[BaseMessage], language: Language) -> Route:
    """Choose the way of the newest user's message, in the light of what was said before it.

    Where documents were named to search, what begins a conversation is looked up unless it is plainly small talk, or
    the router finds that it tells of the user and it asks for nothing: a small model answers from what it knows
    otherwise. A follow-up may be about the conversation alone.

    Raises:
        ModelError: The model cannot be reached, or does not answer in the asked shape.
    """
    prompt = SystemMessage(parts.prompts.text("route", language))
    before = dialogue(messages, max_width=HISTORY_WIDTH)
    asked = last_user_text(messages)
    text = f"{before}\nuser: {asked}" if before else f"user: {asked}"
    chosen = await ask_json(parts.model_of("router"), [prompt, HumanMessage(text)], Route)
    if parts.documents_named and not before and asked.strip():
        only_tells = chosen.personal and asks_for_nothing(asked)
        if not only_tells and not is_small_talk(asked):
            chosen.route = "plan"
    return chosen


def is_small_talk(text: str) -> bool:
    """Say whether a message is nothing but words of greeting, thanks and goodbye, in English or Chinese."""
    return _SMALL_TALK.fullmatch(text.strip()) is not None


def asks_for_nothing(text: str) -> bool:
    """Say whether a message is in the first person and has no word that asks, in English or Chinese."""
    return speaks_of_self(text) and _ASKS.search(text) is None
