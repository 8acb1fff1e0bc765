"""The rememberer: writes down what a user says about themselves. It reads the user's own words and nothing else.

What does not live here: which words are the user's own (`own_words`), and how facts are kept (`motet.memory.recall`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.config import get_config, get_stream_writer
from pydantic import BaseModel, ConfigDict, Field

from motet.agents.own_words import own_words
from motet.errors import ModelOutputInvalid
from motet.events import MemoryWritten
from motet.memory.fact import Kind, Source, subjects  # pydantic reads the field's type
from motet.models.structured import ask_json
from motet.storage.search import terms
from motet.tools.policy.pasted import UNTRUSTED_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts
    from motet.agents.prompts import Language
    from motet.memory.recall import Memories

_SELF = re.compile(r"\b(i|i'm|i’m|my|me|we|our)\b|我|咱|俺", re.IGNORECASE)

_CHANGE = re.compile(
    r"\b(now|no longer|any ?more|instead|not|don'?t|don’t|stopped|changed|used to)\b|不|现在|改|再也|戒",
    re.IGNORECASE,
)
"""What says that a taste has changed."""


class Fact(BaseModel):
    """One thing about the user."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=3, max_length=160)]
    kind: Kind


class UserFacts(BaseModel):
    """What is worth knowing later."""

    model_config = ConfigDict(extra="forbid")

    facts: list[Fact] = Field(max_length=3)


class Comparison(BaseModel):
    """How a new note stands to an older one."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["new", "same", "replaces"]


async def keep_facts(
    parts: AgentParts, memories: Memories, messages: Sequence[BaseMessage], language: Language
) -> None:
    """Store what the newest user's message says about the user, and tell of it; only inside a graph's node.

    Raises:
        ModelError: The model cannot be reached.
    """
    asked = next((m for m in reversed(messages) if isinstance(m, HumanMessage)), None)
    said = own_words(asked.text) if asked is not None else ""
    if asked is None or not said or asked.additional_kwargs.get(UNTRUSTED_KEY):
        return
    config = get_config()
    source = Source(
        thread_id=str(config.get("configurable", {}).get("thread_id", "")),
        run_id=str(config.get("metadata", {}).get("run_id", "")),
        message_id=asked.id or "",
    )
    for fact in await find_facts(parts, said, language):
        known = await memories.about_the_same(fact.text)
        verdict = await compare(parts, fact.text, known.text, language) if known is not None else "new"
        if verdict == "replaces" and fact.kind == "preference" and not _CHANGE.search(said):
            verdict = "new"  # who likes one thing may like another too; both stay
        if known is not None and verdict == "same" and known.trust == "user":
            continue  # what somebody else said is replaced by the user's own words, the same or not
        replaces = known.memory_id if known is not None and verdict != "new" else ""
        written = await memories.write(fact.text, kind=fact.kind, source=source, replaces=replaces)
        if written is not None:
            memory, old = written.memory, written.replaced
            told = MemoryWritten(memory_id=memory.memory_id, text=memory.text, before=old.text if old else "")
            get_stream_writer()(told)


async def find_facts(parts: AgentParts, said: str, language: Language) -> list[Fact]:
    """Return what the user's own words say about the user, 0 to 3 short sentences.

    A sentence that has no word of the user's is the model's invention, and dropped.

    Raises:
        ModelError: The model cannot be reached.
    """
    prompt = SystemMessage(parts.prompts.text("remember", language))
    asked = f"{json.dumps(said, ensure_ascii=False)} ->"
    try:
        found = await ask_json(parts.model_of("rememberer"), [prompt, HumanMessage(asked)], UserFacts)
    except ModelOutputInvalid:
        return []
    words = set(terms(said))
    told = {fact.text.strip(): fact for fact in found.facts if subjects(fact.text) & words}
    return list(told.values())


async def compare(
    parts: AgentParts, new: str, old: str, language: Language
) -> Literal["new", "same", "replaces"]:
    """Say whether a new fact repeats or replaces one about the same. Without a clear answer it is new: nothing is lost.

    One old fact at a time: of several, a small model picks the wrong one.

    Raises:
        ModelError: The model cannot be reached.
    """
    asked = f"新：{new} 旧：{old} ->" if language == "zh" else f"New: {new} Old: {old} ->"
    prompt = SystemMessage(parts.prompts.text("compare", language))
    try:
        return (
            await ask_json(parts.model_of("rememberer"), [prompt, HumanMessage(asked)], Comparison)
        ).verdict
    except ModelOutputInvalid:
        return "new"


def speaks_of_self(said: str) -> bool:
    """Say whether a message may hold something about the user: own words in the first person, and no mere question."""
    words = own_words(said)
    return bool(_SELF.search(words)) and not words.endswith(("?", "？"))
