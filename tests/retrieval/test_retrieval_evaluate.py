import json
import math
from pathlib import Path

import pytest
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.errors import InvalidInput
from motet.events import Passage
from motet.retrieval.evaluate import Question, rankings, read_questions, score
from motet.retrieval.search import HybridRetriever


def passage(number: int, source: str) -> Passage:
    return Passage(passage_id=f"p_{number}", text="t", source=source)


def test_scores_are_those_of_their_definitions() -> None:
    ranked = [passage(1, "/d/a.md"), passage(2, "/d/b.md"), passage(3, "/d/c.md")]
    (found,) = score([(Question("q", ("p_2", "p_9")), {"words": ranked})])
    ideal = 1 + 1 / math.log2(3)
    assert (found.recall, found.mrr) == (0.5, 0.5)
    assert found.ndcg == pytest.approx(1 / math.log2(3) / ideal)
    both = score([(Question("q", ("p_1",)), {"words": ranked}), (Question("q", ("p_9",)), {"words": ranked})])
    assert (both[0].questions, both[0].recall, both[0].ndcg, both[0].mrr) == (2, 0.5, 0.5, 0.5)


def test_documents_are_ranked_each_once() -> None:
    ranked = [passage(1, "/d/a.md"), passage(2, "/d/a.md"), passage(3, "/d/b.md")]
    (found,) = score([(Question("q", ("b.md",)), {"words": ranked})])
    assert found.mrr == 0.5
    (found,) = score([(Question("q", ("/d/a.md", "d/b.md")), {"words": ranked})])
    assert (found.recall, found.ndcg) == (1, 1)


async def test_every_stage_is_scored(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge(WordEmbedder(synonyms={"boat": "ferry"}))
    await base.add(write(folder, a="The ferry sails.", b="Dogs bark.", c="猫会叫。"))
    asked = [Question("boat", ("a.md",)), Question("猫会", ("c.md",))]
    scores = score([one async for one in rankings(HybridRetriever(base), asked)])
    assert [(stage.stage, stage.recall) for stage in scores] == [
        ("words", 0.5),
        ("meaning", 1.0),
        ("fused", 1.0),
    ]
    words = knowledge(words_only=True)
    await words.add([folder], collection="words")
    found = await HybridRetriever(words, ["words"]).stages("ferry")
    assert list(found) == ["words", "fused"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"question": "q"}', '{"question": "q", "relevant": []}', "[" * 99_999]
)
def test_a_line_of_another_shape_is_named(line: str, folder: Path) -> None:
    path = folder / "q.jsonl"
    path.write_text(json.dumps({"question": "q", "relevant": ["a"]}) + "\n\n" + line)
    with pytest.raises(InvalidInput, match="line 3"):
        read_questions(path)


def test_a_file_without_questions_is_refused(folder: Path) -> None:
    (folder / "q.jsonl").write_text("\n")
    with pytest.raises(InvalidInput, match="no question"):
        read_questions(folder / "q.jsonl")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_questions(folder / "none.jsonl")
