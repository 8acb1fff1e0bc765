"""The retriever: finds passages for a step, in both of the languages that documents may be in, and notes what they say.

Whoever works on with the result sees the noted facts, not the raw text of documents.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.agents.base import Agent, AgentParts, Assignment, Outcome
from motet.agents.citations import figures
from motet.errors import ModelOutputInvalid
from motet.models.structured import ask_json
from motet.retrieval.render import render_passages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.agents.prompts import Language
    from motet.events import Passage
    from motet.retrieval.base import Retriever

PASSAGES = 3
"""Passages that one step brings back."""

UNSURE = 2
"""Passages that go on to the answer when none of them seemed to say anything."""

RRF_K = 60
"""Constant of reciprocal rank fusion, Cormack et al. 2009."""

_DESCRIPTION = {
    "en": "looks up facts, rules, prices and figures in the user's documents",
    "zh": "在用户的文档里查找事实、规定、价格和数字",
}


class Fact(BaseModel):
    """What one passage says about a task."""

    model_config = ConfigDict(extra="forbid")

    passage: int = Field(ge=1, le=PASSAGES)
    fact: str = Field(min_length=3, max_length=240)


class Facts(BaseModel):
    """What the passages say about a task."""

    model_config = ConfigDict(extra="forbid")

    facts: list[Fact] = Field(max_length=2)


class Queries(BaseModel):
    """One query in each language."""

    model_config = ConfigDict(extra="forbid")

    en: str = Field(max_length=160)
    zh: str = Field(max_length=80)


def build(parts: AgentParts) -> Agent | None:
    """Build the agent; None without a knowledge base."""
    return RetrieverAgent(parts, parts.retriever) if parts.retriever is not None else None


class RetrieverAgent:
    """Searches with the step's own words; when that says nothing, with a query in each language as well."""

    name = "retriever"
    node: Literal["retrieve", "work"] = "retrieve"

    def __init__(self, parts: AgentParts, retriever: Retriever) -> None:
        self._parts = parts
        self._retriever = retriever

    def describe(self, language: Language) -> str:
        """See `Agent.describe`."""
        return _DESCRIPTION[language]

    async def do(self, assignment: Assignment) -> Outcome:
        """See `Agent.do`. No passage at all is not a failure: it is what the documents say."""
        passages, facts = await self._look(assignment, [assignment.task])
        if not facts:
            # The words or the language of the task may not be the documents': search again in both.
            rewritten = await self._rewrite(assignment)
            if rewritten:
                passages, facts = await self._look(assignment, [assignment.task, *rewritten])
        if not facts:
            nothing = "the passages do not say it" if assignment.language == "en" else "段落里没有说明"
            return Outcome(text=nothing, passages=passages[:UNSURE])
        used = list(dict.fromkeys(fact.passage - 1 for fact in facts))
        return Outcome(text=" ".join(fact.fact for fact in facts), passages=[passages[i] for i in used])

    async def _look(self, assignment: Assignment, queries: Sequence[str]) -> tuple[list[Passage], list[Fact]]:
        """Search with every query, and note what the fused best passages say."""
        found = await asyncio.gather(*(self._retriever.search(q, limit=PASSAGES * 2) for q in queries))
        passages = fuse(found, limit=PASSAGES)
        return passages, await self._extract(assignment, passages) if passages else []

    async def _rewrite(self, assignment: Assignment) -> list[str]:
        prompt = self._parts.prompts.text("queries", assignment.language)
        messages = [SystemMessage(prompt), HumanMessage(assignment.task)]
        try:
            queries = await ask_json(self._parts.fast, messages, Queries)
        except ModelOutputInvalid:
            return []  # the task's own words still search
        return [query for query in (queries.en.strip(), queries.zh.strip()) if query]

    async def _extract(self, assignment: Assignment, passages: Sequence[Passage]) -> list[Fact]:
        """Note what the passages say; [] when nothing, or when the model cannot be understood."""
        task = {"en": "Task", "zh": "任务"}[assignment.language]
        text = f"{render_passages(passages)}\n{task}: {assignment.task}"
        prompt = self._parts.prompts.text("extract", assignment.language)
        try:
            found = await ask_json(self._parts.fast, [SystemMessage(prompt), HumanMessage(text)], Facts)
        except ModelOutputInvalid:
            return []
        kept = [kept for fact in found.facts if (kept := _placed(fact, passages)) is not None]
        return list({fact.fact: fact for fact in kept}.values())


def _placed(fact: Fact, passages: Sequence[Passage]) -> Fact | None:
    """Return the fact with the passage that holds its figures: the one it names, else the first that does."""
    named = [fact.passage] if fact.passage <= len(passages) else []
    for number in [*named, *range(1, len(passages) + 1)]:
        if grounded(fact.fact, passages[number - 1]):
            return fact.model_copy(update={"passage": number})
    return None


def grounded(fact: str, passage: Passage) -> bool:
    """Say whether every figure of a noted fact stands in its passage: a small model likes to calculate ahead."""
    given = figures(f"{passage.title} {passage.heading} {passage.text}")
    return figures(fact) <= given


def fuse(rankings: Sequence[Sequence[Passage]], *, limit: int) -> list[Passage]:
    """Fuse rankings by reciprocal rank; each passage once, best first, with its fused score."""
    scores: dict[str, float] = {}
    by_id: dict[str, Passage] = {}
    for ranking in rankings:
        for rank, passage in enumerate(ranking, start=1):
            scores[passage.passage_id] = scores.get(passage.passage_id, 0.0) + 1 / (RRF_K + rank)
            by_id.setdefault(passage.passage_id, passage)
    best = sorted(by_id.values(), key=lambda passage: scores[passage.passage_id], reverse=True)
    return [p.model_copy(update={"score": round(scores[p.passage_id], 6)}) for p in best[:limit]]
