"""How well a collection is searched: questions with what they should find, scored for each stage of the search.

What does not live here: showing the scores (`motet eval retrieval`) and the search (`search`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from motet.events import Passage
    from motet.retrieval.search import HybridRetriever

DEPTH = 10
"""How far down a ranking is looked."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what it should find."""

    question: str
    relevant: tuple[str, ...]
    """Ids of passages; or documents, by their source or the end of it (`rules.md`, `docs/rules.md`)."""


@dataclass(frozen=True, slots=True)
class StageScores:
    """A stage's means over all questions, each 0.0 to 1.0."""

    stage: str
    """`words` (BM25), `meaning` (vectors), `fused` or `reranked`."""
    questions: int
    recall: float
    """Share of what is relevant that is among the first ten."""
    ndcg: float
    """Normalised discounted cumulative gain of the first ten, with gains of 0 and 1."""
    mrr: float
    """1 over the place of the first relevant one; 0 where none is among the first ten."""


def read_questions(path: Path) -> list[Question]:
    """Read a file of one JSON object a line: `{"question": "…", "relevant": ["…"]}`.

    Raises:
        InvalidInput: It cannot be read, or a line has another shape; the message has its number.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", path=str(path)) from None
    found = [_question(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InvalidInput(f"{path} holds no question.", path=str(path))
    return found


def _question(path: Path, number: int, line: str) -> Question:
    try:
        given: Any = json.loads(line)
        relevant = given["relevant"]
        if not isinstance(relevant, list) or not relevant:
            raise TypeError
        return Question(str(given["question"]), tuple(str(one) for one in relevant))  # pyright: ignore[reportUnknownVariableType]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput(
            f'{path}, line {number}: write {{"question": "…", "relevant": ["passage id or source"]}}.',
            path=str(path),
            line=number,
        ) from None


async def rankings(
    retriever: HybridRetriever, questions: Iterable[Question]
) -> AsyncIterator[tuple[Question, dict[str, list[Passage]]]]:
    """Yield each question with every stage's passages, best first."""
    for question in questions:
        yield question, await retriever.stages(question.question, limit=DEPTH)


def score(ranked: Iterable[tuple[Question, dict[str, list[Passage]]]]) -> list[StageScores]:
    """Return the scores of each stage, in the order of the stages."""
    by_stage: dict[str, list[tuple[float, float, float]]] = {}
    for question, stages in ranked:
        for stage, passages in stages.items():
            by_stage.setdefault(stage, []).append(_scores(question.relevant, passages))
    return [
        StageScores(stage, len(scores), *(sum(column) / len(scores) for column in zip(*scores, strict=True)))
        for stage, scores in by_stage.items()
    ]


def _scores(relevant: Sequence[str], passages: Sequence[Passage]) -> tuple[float, float, float]:
    """Return recall, nDCG and the reciprocal rank; what is found a second time counts for nothing."""
    left = list(dict.fromkeys(relevant))
    count = len(left)
    places: list[int] = []
    place = 0
    seen: set[str] = set()
    for passage in passages:
        found = [one for one in left if _is(one, passage)]
        if not found and passage.source in seen and not any(one.startswith("p_") for one in relevant):
            continue  # another passage of a document that was counted: documents are ranked, not passages
        seen.add(passage.source)
        place += 1
        if found:
            left.remove(found[0])
            places.append(place)
    ideal = sum(1 / math.log2(at + 1) for at in range(1, min(count, DEPTH) + 1))
    gained = sum(1 / math.log2(at + 1) for at in places)
    return len(places) / count, gained / ideal, 1 / places[0] if places else 0.0


def _is(relevant: str, passage: Passage) -> bool:
    return relevant in (passage.passage_id, passage.source) or passage.source.endswith("/" + relevant)
