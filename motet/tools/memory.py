"""The long-term memory as tools: what is known about the user, a new fact, and a fact that is to go.

What does not live here: how facts are kept and how far each is believed (`motet.memory`). Who is believed is not the
model's to say: a fact counts as the user's where each of its words stands in the user's own words, else as noted by
the agent, and in a run that has read strangers' words as theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from motet.errors import NotFound
from motet.tools.policy.guard import current_guard, note_read
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.memory.fact import Author, Memory, Source
    from motet.memory.recall import Memories
    from motet.tools.base import ToolContext

LIMIT = 8
"""Facts of one answer."""


class RecallArguments(BaseModel):
    """What `recall` is given."""

    query: str = Field(description="What to remember about", min_length=1, max_length=400)


class RememberArguments(BaseModel):
    """What `remember` is given."""

    fact: str = Field(description="One short sentence", min_length=3, max_length=300)


class ForgetArguments(BaseModel):
    """What `forget` is given."""

    memory_id: str = Field(description="The id that recall showed", min_length=4, max_length=64)


def build_recall(context: ToolContext) -> BaseTool | None:
    """Build `recall`; None where nothing is remembered."""
    memories, limit = context.memories, context.settings.max_output_chars
    if memories is None:
        return None

    async def recall(query: str) -> str:
        found = await memories.recall(query, limit=LIMIT)
        for memory in found:
            if memory.trust == "untrusted":
                await note_read("a memory of what others wrote")
        lines = [f"[{memory.memory_id[:12]}] {memory.text} ({_from(memory)})" for memory in found]
        return cut("\n".join(lines), limit) or "Nothing is remembered about this."

    return as_tool(
        recall,
        name="recall",
        description="Look up what is remembered about the user from earlier conversations.",
        arguments=RecallArguments,
        access="read",
        extra={"trust": "trusted"},
    )


def build_remember(context: ToolContext) -> BaseTool | None:
    """Build `remember`; None where nothing is remembered."""
    memories = context.memories
    if memories is None:
        return None

    async def remember(fact: str) -> str:
        author, origin = await _author(fact)
        written = await memories.write(fact, author=author, source=_source(origin))
        if written is None:
            return "That is remembered already."
        _tell(written.memory, written.replaced)
        return f"Remembered as [{written.memory.memory_id[:12]}]."

    return as_tool(
        remember,
        name="remember",
        description="Remember one lasting fact about the user for later conversations.",
        arguments=RememberArguments,
        access="write",
        effect="idempotent",
        failure="clean",
        extra={"default": "allow", "trust": "trusted"},
    )


def build_forget(context: ToolContext) -> BaseTool | None:
    """Build `forget`; None where nothing is remembered."""
    memories = context.memories
    if memories is None:
        return None

    async def forget(memory_id: str) -> str:
        known = await _named(memories, memory_id.strip("[] "))
        await memories.forget([known.memory_id])
        return f"Forgotten: {known.text}"

    return as_tool(
        forget,
        name="forget",
        description="Forget one remembered fact when the user asks for it. recall shows the ids.",
        arguments=ForgetArguments,
        access="write",
        effect="idempotent",
        extra={"trust": "trusted"},
    )


async def _named(memories: Memories, memory_id: str) -> Memory:
    """Return the one fact whose id begins so.

    Raises:
        NotFound: There is none, or more than one.
    """
    found = [memory for memory in await memories.all() if memory.memory_id.startswith(memory_id)]
    if len(found) != 1:
        raise NotFound(f"No single remembered fact has the id '{cut(memory_id, 40)}'. recall shows the ids.")
    return found[0]


async def _author(fact: str) -> tuple[Author, str]:
    """Return whose words a fact is, and where they were read."""
    guard = current_guard()
    if guard is None:
        return "agent", ""
    if await guard.is_users_own(fact):
        return "user", ""
    read = await guard.read()
    return ("tool", read[0]) if read else ("agent", "")


def _source(origin: str) -> Source:
    from langchain_core.runnables.config import ensure_config  # noqa: PLC0415  # the table is read without LangChain

    from motet.memory.fact import Source  # noqa: PLC0415

    config = ensure_config()
    return Source(
        thread_id=str((config.get("configurable") or {}).get("thread_id", "")),
        run_id=str((config.get("metadata") or {}).get("run_id", "")),
        origin=origin,
    )


def _tell(memory: Memory, before: Memory | None) -> None:
    """Tell whoever follows the run; nothing outside of one."""
    from langgraph.config import get_stream_writer  # noqa: PLC0415

    from motet.events import MemoryWritten  # noqa: PLC0415

    try:
        tell = get_stream_writer()
    except (RuntimeError, KeyError):
        return
    tell(MemoryWritten(memory_id=memory.memory_id, text=memory.text, before=before.text if before else ""))


def _from(memory: Memory) -> str:
    words = {
        "user": "said by the user",
        "agent": "noted by an agent",
        "untrusted": f"from {memory.source.origin or 'others'}, not checked",
    }
    return words[memory.trust]
