"""The retriever: finds the statements of documents that a step asks for, in both of the languages they may be in.

The statements are the documents' own sentences and table rows, the few nearest in meaning, so that a small model has
little to read. It notes facts from them; whoever works on sees the facts, not the raw text of documents.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.agents.asked_words import adds_nothing, asked_words, lacks, missing_pieces, says_none
from motet.agents.base import LONG_QUESTION, Agent, AgentParts, Assignment, Outcome
from motet.agents.figures import all_figures, figures
from motet.agents.measures import answers_otherwise, currencies, pays_otherwise
from motet.agents.names import are_written_alike, names_strangers
from motet.agents.nearest import abridged, nearest_statements
from motet.agents.second_look import is_stated
from motet.errors import ModelOutputInvalid
from motet.models.structured import ask_json, ask_json_with_odds
from motet.retrieval.render import place_of, whole_text
from motet.storage.search import is_cjk, terms, text_width
from motet.tools.policy.guard import note_read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from motet.agents.prompts import Language
    from motet.events import Passage
    from motet.retrieval.base import Retriever

PASSAGES = 4
"""Passages that a look-up reads."""

UNSURE = 2
"""Passages that go on to the answer when none of them seemed to say anything."""

SURE = 5.0
"""Odds from which on a small model is believed that statements say something, as `odds.list_odds` gives them.

Measured with the embedded model over 105 own questions in both languages, about half of them with an answer: of the
facts that were right, 95 % were above; of those that were wrong and passed every other rule, 31 %.
"""

RRF_K = 60
"""Constant of reciprocal rank fusion, Cormack et al. 2009."""

_DESCRIPTION = {
    "en": "looks up facts, rules, prices and figures in the user's documents",
    "zh": "在用户的文档里查找事实、规定、价格和数字",
}


class Facts(BaseModel):
    """What statements say about a task."""

    model_config = ConfigDict(extra="forbid")

    facts: list[Annotated[str, Field(min_length=3, max_length=240)]] = Field(max_length=2)


class Queries(BaseModel):
    """One query in each language."""

    model_config = ConfigDict(extra="forbid")

    en: str = Field(max_length=160)
    zh: str = Field(max_length=80)


def build(parts: AgentParts) -> Agent | None:
    """Build the agent; None without a knowledge base."""
    return RetrieverAgent(parts, parts.retriever) if parts.retriever is not None else None


class RetrieverAgent:
    """Searches with the step's and the question's words; when that says nothing, with a query in each language too."""

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
        await note_read("documents")
        queries = list(dict.fromkeys([assignment.task, assignment.question]))
        is_long = text_width(assignment.question) > LONG_QUESTION
        if is_long:
            # So many words find everything a little: what matters of them is asked for as well.
            queries += await self._rewrite(assignment)
        found = await self._look(queries)
        facts, sure = await self._note(assignment, found)
        if not (facts and sure) and not is_long:
            # The words or the language of the task may not be the documents': look again in both.
            rewritten = await self._rewrite(assignment)
            if rewritten:
                found = await self._look([*queries, *rewritten])
                facts, sure = await self._note(assignment, found)
        denied = not sure or (bool(facts) and await self._is_denied(assignment, found, list(facts)))
        if denied or not facts:
            nothing = "the passages do not say it" if assignment.language == "en" else "段落里没有说明"
            passages = {passage.passage_id: passage for _, passage in found}
            unsure = 0 if denied else UNSURE
            return Outcome(text=nothing, passages=list(passages.values())[:unsure], found=False)
        passages = {passage.passage_id: passage for passage in facts.values()}
        return Outcome(text=" ".join(facts), passages=list(passages.values()))

    async def _look(self, queries: Sequence[str]) -> list[tuple[str, Passage]]:
        """Return the best passages' statements nearest to the queries, in order, each with its passage."""
        rankings = await asyncio.gather(*(self._retriever.search(q, limit=PASSAGES * 2) for q in queries))
        passages = fuse(rankings, limit=PASSAGES)
        return await nearest_statements(self._retriever, queries, passages)

    async def _note(
        self, assignment: Assignment, found: Sequence[tuple[str, Passage]]
    ) -> tuple[dict[str, Passage], bool]:
        """Note what the statements say about the task, each fact with the passage that it was taken from.

        A fact with a figure or a name that neither its passage nor the question has is dropped, and of a small model
        one that `_misses`.

        Returns:
            The facts, {} when nothing is said or when the model cannot be understood; and False where a small model
            wrote some though it was not `SURE` that the statements say anything.
        """
        if not found:
            return {}, True
        text = self._parts.prompts.text(
            "extract_material",
            assignment.language,
            statements=abridged(found),
            task=assignment.task,
        )
        prompt = self._parts.prompts.text("extract", assignment.language)
        model = self._parts.model_of("retriever")
        small = model.capabilities.small
        try:
            noted, odds = await ask_json_with_odds(model, [SystemMessage(prompt), HumanMessage(text)], Facts)
        except ModelOutputInvalid:
            return {}, True
        sure = not noted.facts or not small or odds is None or odds >= SURE
        given = f"{assignment.question} {assignment.task}"
        passages = [passage for _, passage in found]
        facts = noted.facts
        if small and odds is not None:
            facts = [in_own_words(fact, found, given) for fact in facts]
        if small:
            facts = [fact for fact in facts if not _misses(fact, assignment, passages)]
        sources = {fact: source_of(fact, found, all_figures(given)) for fact in facts}
        named = {
            fact: named_source(fact, source, passages, given)
            for fact, source in sources.items()
            if source is not None
        }
        return {fact: source for fact, source in named.items() if source is not None}, sure

    async def _is_denied(
        self, assignment: Assignment, found: Sequence[tuple[str, Passage]], facts: Sequence[str]
    ) -> bool:
        """Say whether a small model, asked about the statement of each fact, finds what is looked for in none."""
        if not self._parts.model_of("retriever").capabilities.small:
            return False
        for fact in facts:
            statement = statement_of(fact, found, assignment.question)
            if await is_stated(self._parts, assignment.task, statement, assignment.language):
                return False
        return True

    async def _rewrite(self, assignment: Assignment) -> list[str]:
        prompt = self._parts.prompts.text("queries", assignment.language)
        messages = [SystemMessage(prompt), HumanMessage(assignment.task)]
        try:
            queries = await ask_json(self._parts.model_of("retriever"), messages, Queries)
        except ModelOutputInvalid:
            return []  # the task's own words still search
        return [query for query in (queries.en.strip(), queries.zh.strip()) if query]


def source_of(fact: str, found: Sequence[tuple[str, Passage]], asked: Collection[str] = ()) -> Passage | None:
    """Return the passage of the statement that a noted fact is nearest to in words; None when it was made up.

    Made up is a fact with a figure that stands neither in the passage nor in what was asked, or with none of the
    passage's: a small model likes to calculate ahead.
    """
    words, noted = set(terms(fact)), figures(fact)
    held = [
        (len(words & set(terms(said))), passage) for said, passage in found if grounded(fact, passage, asked)
    ]
    shared, passage = max(held, key=lambda item: item[0], default=(0, None))
    return passage if shared or noted else None


def grounded(fact: str, passage: Passage, asked: Collection[str] = ()) -> bool:
    """Say whether a fact's figures stand in its passage; figures that were asked with (`24 adults`) may be repeated."""
    given = all_figures(whole_text(passage))
    noted = figures(fact)
    return noted <= given | set(asked) and (not noted or bool(noted & given))


def named_source(fact: str, source: Passage, passages: Sequence[Passage], given: str) -> Passage | None:
    """Return the passage that a fact's names are from: its source, where they stand in a passage.

    Where they stand in none, they may be translated from the best passage in another language, and that is it. None
    without such a passage: a name was made up.
    """
    texts = [whole_text(passage) for passage in passages]
    if not are_written_alike(fact, whole_text(source)) or not names_strangers(fact, texts, given, given):
        return source
    others = (p for p, text in zip(passages, texts, strict=True) if is_cjk(text) != is_cjk(fact))
    return next(others, None)


def _misses(fact: str, assignment: Assignment, passages: Sequence[Passage]) -> bool:
    """Say whether a fact repeats the question, gives another quantity than asked, or is in another currency."""
    asked = (assignment.task, assignment.question)
    return (
        adds_nothing(fact, assignment.question)
        or only_repeats(fact, assignment.question, passages)
        or all(answers_otherwise(fact, question) for question in asked)
        or pays_otherwise(fact, _spoken(" ".join(asked), passages))
    )


def _spoken(given: str, passages: Iterable[Passage]) -> set[str]:
    """Return the currencies that what was asked or a passage speaks of."""
    return currencies(" ".join([given, *map(whole_text, passages)]))


def statement_of(fact: str, found: Sequence[tuple[str, Passage]], question: str) -> str:
    """Return the statement that a fact was most likely taken from, with its place.

    The one with most of its figures; of those the one with most of the words that it does not have from the question.
    """
    words, noted = set(terms(fact)), figures(fact)
    new = words - set(terms(question))

    def held(one: tuple[str, Passage]) -> tuple[int, int, int]:
        has = set(terms(one[0]))
        return len(noted & all_figures(one[0])), len(new & has), len(words & has)

    said, passage = max(found, key=held)
    return f"{place_of(passage)}: {said}"


def in_own_words(fact: str, found: Sequence[tuple[str, Passage]], given: str) -> str:
    """Return a fact; in the place of one in a currency that nobody spoke of, the first statement with its figures.

    A small model takes the currency of an example for one that it cannot translate. As it is where no statement has
    its figures.
    """
    noted = figures(fact)
    if not noted or not pays_otherwise(fact, _spoken(given, (passage for _, passage in found))):
        return fact
    return next((said for said, _ in found if noted <= all_figures(said)), fact)


def only_repeats(fact: str, question: str, passages: Sequence[Passage]) -> bool:
    """Say whether a fact without figures answers in the question's words, and no passage has one of those.

    Asked who is the chief executive, a small model writes that a ship is it, since ships are what it was shown.
    """
    if figures(fact):
        return False
    texts = [whole_text(passage) for passage in passages]
    if is_cjk(question):
        missing = {piece for text in texts for piece in missing_pieces(text, question)}
        return all(lacks(text, question) for text in texts) and any(piece in fact for piece in missing)
    repeated = asked_words(question) & asked_words(fact)
    return all(says_none(text, repeated) for text in texts)


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
