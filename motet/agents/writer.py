"""The writer: the answer, from the material alone, with citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from motet.agents.citations import CitationFilter, cited
from motet.events import CITATIONS_KEY
from motet.memory.window import visible
from motet.models.filtered import StreamFilterModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts, Finding
    from motet.agents.prompts import Language
    from motet.events import Passage
    from motet.memory.recall import Memory

HISTORY_WIDTH = 4000
"""Columns of conversation that a direct answer sees."""


async def write_answer(
    parts: AgentParts,
    *,
    question: str,
    passages: Sequence[Passage],
    findings: Sequence[Finding],
    language: Language,
) -> AIMessage:
    """Answer from passages and findings; the message carries the cited passages.

    Raises:
        ModelError: The model cannot be reached.
    """
    prompt = SystemMessage(parts.prompts.text("answer", language))
    text = material(parts, question=question, passages=passages, findings=findings, language=language)
    model = StreamFilterModel(inner=parts.deep.chat, make_filter=lambda: CitationFilter(passages))
    shot = [
        HumanMessage(parts.prompts.text("answer_example_material", language)),
        AIMessage(parts.prompts.text("answer_example", language)),
    ]
    reply = await model.ainvoke([prompt, *shot, HumanMessage(text)])
    return with_citations(reply, passages)


async def write_direct(
    parts: AgentParts, messages: Sequence[BaseMessage], memories: Sequence[Memory], language: Language
) -> AIMessage:
    """Answer from the conversation alone.

    Raises:
        ModelError: The model cannot be reached.
    """
    prompt = SystemMessage(
        parts.prompts.text("direct", language, memories=memory_lines(parts, memories, language))
    )
    model = StreamFilterModel(inner=parts.deep.chat, make_filter=lambda: CitationFilter(()))
    reply = await model.ainvoke([prompt, *visible(messages, max_width=HISTORY_WIDTH)])
    return with_citations(reply, ())


def with_citations(reply: BaseMessage, passages: Sequence[Passage]) -> AIMessage:
    """Return an answer as a plain message that carries the passages it cites."""
    numbers = cited(reply.text, len(passages))
    found = [passages[n - 1].model_copy(update={"number": n}) for n in numbers]
    extra = {CITATIONS_KEY: [passage.model_dump(mode="json") for passage in found]} if found else {}
    usage = reply.usage_metadata if isinstance(reply, AIMessage) else None
    return AIMessage(content=reply.text.strip(), id=reply.id, additional_kwargs=extra, usage_metadata=usage)


def material(
    parts: AgentParts,
    *,
    question: str,
    passages: Sequence[Passage],
    findings: Sequence[Finding],
    language: Language,
) -> str:
    """Return everything an answer may be made from, as text."""
    shown = [f"[{n}] {_place(p)}: {' '.join(p.text.split())}" for n, p in enumerate(passages, start=1)]
    results = [f"- {f.task} → {f.text}" for f in findings]
    return parts.prompts.text(
        "material",
        language,
        passages="\n".join(shown) or "-",
        results="\n".join(results) or "-",
        question=question,
    )


def memory_lines(parts: AgentParts, memories: Sequence[Memory], language: Language) -> str:
    """Return what is known about the user as a block of text; "" when nothing is."""
    if not memories:
        return ""
    facts = "\n".join(f"- {memory.text}" for memory in memories)
    return parts.prompts.text("memories", language, facts=facts)


def _place(passage: Passage) -> str:
    return " › ".join(part for part in (passage.title, passage.heading) if part) or passage.source
