from pathlib import Path

import pytest
from retrieval_fakes import Knowledge, write

from motet.retrieval.characters import lone_characters
from motet.retrieval.filters import Where
from motet.retrieval.search import HybridRetriever


@pytest.mark.parametrize(
    ("question", "characters"),
    [
        ("猫", ["猫"]),
        ("猫 带 猫", ["猫", "带"]),
        ("猫粮", []),
        ("猫 food", []),
        ("a", []),
        ("", []),
        ("😀", []),
    ],
)
def test_only_a_question_of_single_characters_is_one(question: str, characters: list[str]) -> None:
    assert lone_characters(question) == characters


@pytest.mark.parametrize("question", ["猫", "猫可以带吗"])
async def test_one_character_is_found_inside_of_words(
    knowledge: Knowledge, folder: Path, question: str
) -> None:
    write(
        folder,
        boats="船票在码头购买。",
        cats="旅客携带的猫粮和猫笼不收费。",
        dogs="狗要系绳。",
        percent="50%_ 猫",
    )
    base = knowledge(words_only=True)
    await base.add([folder])
    told = await HybridRetriever(base).explain(question)
    assert {one.passage.title for one in told.found} == {"cats", "percent"}
    assert all(one.words_rank and one.bm25 and one.bm25 > 0 for one in told.found)


async def test_a_heading_counts_and_filters_and_collections_hold(knowledge: Knowledge, folder: Path) -> None:
    write(folder, one="# 猫\n\nBring a basket.", two="# Dogs\n\n猫猫。")
    base = knowledge(words_only=True)
    await base.add([folder / "one.md"])
    await base.add([folder / "two.md"], collection="other")
    assert [p.text for p in await HybridRetriever(base).search("猫")] == ["Bring a basket."]
    both = HybridRetriever(base, ["default", "other"], where=Where.read(["source=*two.md"]))
    assert [p.text for p in await both.search("猫")] == ["猫猫。"]
    assert await HybridRetriever(base).search("龙") == []
