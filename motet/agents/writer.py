"""The writer: the answer, from the material alone, with citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from motet.agents.citations import CitationFilter, cited
from motet.agents.links import with_safe_links
from motet.agents.notes import notes_text, with_notes
from motet.events import CITATIONS_KEY
from motet.models.filtered import StreamFilterModel
from motet.retrieval.render import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import AgentParts, Finding
    from motet.agents.prompts import Language
    from motet.events import Passage
    from motet.memory.recall import Memory


def brief(
    parts: AgentParts,
    *,
    question: str,
    passages: Sequence[Passage],
    findings: Sequence[Finding],
    language: Language,
    memories: Sequence[Memory] = (),
    pinned: str = "",
) -> list[BaseMessage]:
    """Return the messages that an answer is written from: instructions, two examples, the material with the notes.

    What is pinned (`context.pinned_text`) stands before both.
    """
    shown = [f"[{n}] {place_of(p)}: {' '.join(p.text.split())}" for n, p in enumerate(passages, start=1)]
    results = [f"- {finding.task} → {finding.text}" for finding in findings]
    notes = notes_text(parts, memories, language)
    material = parts.prompts.text(
        "material",
        language,
        passages="\n".join(shown) or "-",
        results="\n".join(results) or "-",
        question=question,
    )
    return [
        SystemMessage(parts.prompts.text("answer", language)),
        HumanMessage(parts.prompts.text("answer_unsaid_material", language)),
        AIMessage(parts.prompts.text("answer_unsaid", language)),
        HumanMessage(parts.prompts.text("answer_example_material", language)),
        AIMessage(parts.prompts.text("answer_example", language)),
        HumanMessage("\n\n".join(part for part in (pinned, notes, material) if part)),
    ]


async def write_answer(
    parts: AgentParts,
    messages: Sequence[BaseMessage],
    passages: Sequence[Passage],
    findings: Sequence[Finding],
    *,
    question: str = "",
    given: str = "",
    doubted: bool = False,
) -> AIMessage:
    """Answer a brief; the message carries the passages that it cites.

    Args:
        parts: The agents' parts.
        messages: The brief.
        passages: Those that it shows.
        findings: Those that it tells.
        question: What is asked.
        given: What else the brief tells that needs no passage: what is pinned or remembered.
        doubted: Whether the passages seem not to say it.

    Raises:
        ModelError: The model cannot be reached.
    """
    found = [finding for finding in findings if finding.found]
    noted = " ".join(finding.text for finding in found)
    numbers = {passage.passage_id: number for number, passage in enumerate(passages, start=1)}
    sources = {f.text: [numbers[one] for one in f.passage_ids if one in numbers] for f in found}
    told = " ".join([given, *(finding.task for finding in findings)])
    safe = await with_safe_links(
        lambda: CitationFilter(passages, noted, told, asked=question, sources=sources, doubted=doubted)
    )
    model = StreamFilterModel(inner=parts.model_of("writer").chat, make_filter=safe)
    return with_citations(await model.ainvoke(list(messages)), passages)


async def write_direct(
    parts: AgentParts, messages: Sequence[BaseMessage], memories: Sequence[Memory], language: Language
) -> AIMessage:
    """Answer from the conversation, as `context.shown` gives it, and from what is remembered.

    Raises:
        ModelError: The model cannot be reached.
    """
    prompt = SystemMessage(parts.prompts.text("direct", language))
    safe = await with_safe_links(lambda: CitationFilter(()))
    model = StreamFilterModel(inner=parts.model_of("writer").chat, make_filter=safe)
    reply = await model.ainvoke([prompt, *with_notes(parts, messages, memories, language)])
    return with_citations(reply, ())


def with_citations(reply: BaseMessage, passages: Sequence[Passage]) -> AIMessage:
    """Return an answer as a plain message that carries the passages it cites."""
    numbers = cited(reply.text, len(passages))
    found = [passages[n - 1].model_copy(update={"number": n}) for n in numbers]
    extra = {CITATIONS_KEY: [passage.model_dump(mode="json") for passage in found]} if found else {}
    usage = reply.usage_metadata if isinstance(reply, AIMessage) else None
    return AIMessage(content=reply.text.strip(), id=reply.id, additional_kwargs=extra, usage_metadata=usage)
