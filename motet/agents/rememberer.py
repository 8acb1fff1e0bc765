"""The rememberer: writes down what a user says about themselves. It reads the user's own words and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.config import get_config, get_stream_writer
from pydantic import BaseModel, ConfigDict, Field

from motet.errors import ModelOutputInvalid
from motet.events import MemoryWritten
from motet.models.structured import ask_json

if TYPE_CHECKING:
    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language
    from motet.memory.recall import Memories

_SELF = re.compile(r"\b(i|i'm|i’m|my|me|we|our)\b|我|咱|俺", re.IGNORECASE)


class Facts(BaseModel):
    """What is worth knowing later."""

    model_config = ConfigDict(extra="forbid")

    facts: list[Annotated[str, Field(min_length=3, max_length=160)]] = Field(max_length=3)


async def find_facts(parts: AgentParts, said: str, language: Language) -> list[str]:
    """Return what the user's words say about the user, 0 to 3 short sentences.

    Raises:
        ModelError: The model cannot be reached.
    """
    prompt = SystemMessage(parts.prompts.text("remember", language))
    try:
        found = await ask_json(parts.fast, [prompt, HumanMessage(f'"{said}" ->')], Facts)
    except ModelOutputInvalid:
        return []
    return list(dict.fromkeys(fact.strip() for fact in found.facts if fact.strip()))


def speaks_of_self(said: str) -> bool:
    """Say whether a message may hold something about the user: it has a first person and is no mere question."""
    return bool(_SELF.search(said)) and not said.rstrip().endswith(("?", "？"))


async def keep_facts(parts: AgentParts, memories: Memories, said: str, language: Language) -> None:
    """Store what a user's words say about the user, and tell of it; only inside a graph's node.

    Raises:
        ModelError: The model cannot be reached.
    """
    thread_id = str(get_config().get("configurable", {}).get("thread_id", ""))
    for fact in await find_facts(parts, said, language):
        memory = await memories.write(fact, thread_id=thread_id)
        if memory is not None:
            get_stream_writer()(MemoryWritten(memory_id=memory.memory_id, text=memory.text))
