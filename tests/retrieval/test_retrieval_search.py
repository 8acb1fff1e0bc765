import dataclasses
from pathlib import Path

import pytest
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.retrieval import search
from motet.retrieval.search import HybridRetriever, fuse
from motet.settings import Settings


def test_reciprocal_ranks_are_added_with_their_weights() -> None:
    scores = fuse([(2.0, [7, 8]), (1.0, [8, 9])], k=60)
    assert scores == pytest.approx({7: 2 / 61, 8: 2 / 62 + 1 / 61, 9: 1 / 62})
    assert fuse([]) == {}


async def test_words_find_what_meaning_misses_and_the_other_way_round(
    knowledge: Knowledge, folder: Path
) -> None:
    filler = {f"f{n}": f"Paragraph {n} speaks of weather, wind and waves number {n}." for n in range(20)}
    write(folder, code="Form ZX-77 is blue.", boat="A vessel departs at dawn.", **filler)
    base = knowledge(WordEmbedder(synonyms={"ship": "vessel", "leaves": "departs", "early": "dawn"}))
    await base.add([folder])
    retriever = HybridRetriever(base)
    assert (await retriever.search("zx-77"))[0].text == "Form ZX-77 is blue."
    assert (await retriever.search("ship leaves early"))[0].text == "A vessel departs at dawn."
    assert await HybridRetriever(knowledge(words_only=True)).search("ship leaves early") == []


async def test_results_come_best_first_with_scores_and_up_to_the_limit(
    knowledge: Knowledge, folder: Path
) -> None:
    write(folder, **{f"f{n}": f"Harbour {'sardine ' * n} and other things {n}." for n in range(1, 9)})
    base = knowledge()
    await base.add([folder])
    retriever = HybridRetriever(base)
    found = await retriever.search("sardine", limit=3)
    assert len(found) == 3
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert found[0].score > 0
    assert all(p.number is None for p in found)
    assert len(await retriever.search("sardine")) == base.settings.limit
    assert len(await retriever.search("sardine", limit=0)) == base.settings.limit
    assert len(await retriever.search("sardine", limit=5000)) == 8


@pytest.mark.parametrize("query", ["", "  \n\t ", "\u3000"])
async def test_a_blank_query_finds_nothing(knowledge: Knowledge, folder: Path, query: str) -> None:
    base = knowledge()
    await base.add(write(folder, a="Text."))
    assert await HybridRetriever(base).search(query) == []


@pytest.mark.parametrize("words_only", [True, False])
async def test_where_nothing_was_added_nothing_is_found(knowledge: Knowledge, words_only: bool) -> None:
    base = knowledge(words_only=words_only)
    assert await HybridRetriever(base).search("anything") == []
    assert await HybridRetriever(base, []).search("anything") == []
    assert await HybridRetriever(base, ["no-such"]).search("anything") == []


@pytest.mark.parametrize(
    "query",
    [
        '" OR *',
        "NEAR(a b)",
        "terms : x",
        "'); DROP TABLE passages; --",
        "^a + {b} -c",
        "a" * 100_000,
        "\ud800",
    ],
)
async def test_query_syntax_is_only_text(knowledge: Knowledge, folder: Path, query: str) -> None:
    base = knowledge()
    await base.add(write(folder, a="Some text of a document."))
    assert len(await HybridRetriever(base).search(query)) <= 1
    assert (await base.stats()).document_count == 1


async def test_copies_come_once_and_the_next_best_takes_their_place(
    knowledge: Knowledge, folder: Path
) -> None:
    rule = "Sardines travel free of charge on every route in the summer months. "
    write(folder, a=rule, b=rule + "Really.", c=rule, d="Sardines are small fish.")
    base = knowledge()
    await base.add([folder])
    found = await HybridRetriever(base).search("sardines", limit=3)
    assert sorted(p.text == "Sardines are small fish." for p in found) == [False, True]


async def test_chinese_questions_find_chinese_passages(knowledge: Knowledge, folder: Path) -> None:
    text = "# 票价\n\n成人票价为四十元。\n\n# 宠物\n\n宠物每只收费十二元。\n\n# 开船\n\n每天九点开船。\n"
    for words_only in (False, True):
        base = knowledge(words_only=words_only)
        await base.add(write(folder, rules=text), collection=f"c{words_only}")
        found = await HybridRetriever(base, [f"c{words_only}"]).search("请问宠物要收费多少？")
        assert found[0].heading == "宠物"


async def test_a_notice_says_when_the_search_is_by_words_only(knowledge: Knowledge) -> None:
    assert "words only" in knowledge(words_only=True).notice
    assert knowledge().notice == ""


async def test_another_processs_changes_are_seen(knowledge: Knowledge, folder: Path) -> None:
    first, second = write(folder, a="Sardines here.", b="Herrings there.")
    reader, writer = knowledge(), knowledge()  # each has indexes of its own, as two processes have
    retriever = HybridRetriever(reader)
    await writer.add([first])
    assert [p.text for p in await retriever.search("fish", limit=9)] == ["Sardines here."]
    await writer.add([second])
    assert {p.text for p in await retriever.search("fish", limit=9)} == {"Sardines here.", "Herrings there."}
    await writer.remove([first])
    assert [p.text for p in await retriever.search("fish", limit=9)] == ["Herrings there."]


async def test_the_search_looks_beyond_what_it_returns(knowledge: Knowledge, folder: Path) -> None:
    assert search.DEPTH >= 50


@pytest.mark.parametrize("words_only", [True, False])
async def test_nearness_puts_the_texts_that_answer_first(knowledge: Knowledge, words_only: bool) -> None:
    retriever = HybridRetriever(knowledge(words_only=words_only))
    texts = ["Dogs stay on a lead.", "A return ticket to Tarrow costs 68.", "到塔罗岛的单程票 38。"]
    near = await retriever.nearness(["What costs a ticket to Tarrow?", "return"], texts)
    assert max(range(3), key=near.__getitem__) == 1
    far = await retriever.nearness(["单程票多少钱"], texts)
    assert max(range(3), key=far.__getitem__) == 2
    assert await retriever.nearness(["anything"], []) == []


async def test_each_ranking_counts_as_the_settings_say(
    knowledge: Knowledge, folder: Path, settings: Settings
) -> None:
    write(folder, words="Ship, ship and nothing else of it.", meaning="A vessel departs at dawn.")
    base = knowledge(WordEmbedder(synonyms={"ship": "vessel", "leaves": "departs", "early": "dawn"}))
    await base.add([folder])
    first: dict[str, str] = {}
    for name, weights in {"words": (1.0, 0.0), "meaning": (0.0, 1.0)}.items():
        base.settings = dataclasses.replace(
            settings.retrieval, words_weight=weights[0], meaning_weight=weights[1]
        )
        first[name] = Path((await HybridRetriever(base).search("ship leaves early"))[0].source).stem
    assert first == {"words": "words", "meaning": "meaning"}


async def test_what_is_unlike_the_question_is_not_found_where_there_is_a_threshold(
    knowledge: Knowledge, folder: Path, settings: Settings
) -> None:
    write(folder, boat="A vessel departs at dawn.", dog="Dogs sleep on deck 7 while it rains.")
    base = knowledge(WordEmbedder(synonyms={"ship": "vessel", "leaves": "departs", "early": "dawn"}))
    await base.add([folder])
    asked = "ship leaves early"
    assert len(await HybridRetriever(base).search(asked)) == 2
    base.settings = dataclasses.replace(settings.retrieval, min_cosine=0.5)
    assert [p.text for p in await HybridRetriever(base).search(asked)] == ["A vessel departs at dawn."]
    assert [p.text for p in await HybridRetriever(base).search("deck 7 rains")] == [
        "Dogs sleep on deck 7 while it rains."
    ]
    assert await HybridRetriever(base).search("ceiling of the chapel") == []
