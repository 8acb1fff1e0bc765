"""Conditions of a search, read from a command line and held in both rankings."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from retrieval_fakes import Knowledge, write

from motet.errors import ExtraMissing, InvalidInput, ModelUnavailable
from motet.retrieval.collection import KnowledgeBase
from motet.retrieval.filters import Where, label_piece, labels_text
from motet.retrieval.search import HybridRetriever


async def found(base: KnowledgeBase, *conditions: str, query: str = "ferry") -> list[str]:
    retriever = HybridRetriever(base, where=Where.read(conditions))
    return sorted(Path(passage.source).name for passage in await retriever.search(query, limit=20))


@pytest.mark.parametrize("words_only", [False, True])
async def test_conditions_hold_in_both_rankings(knowledge: Knowledge, folder: Path, words_only: bool) -> None:
    base = knowledge(words_only=words_only)
    inner = folder / "in_ner"
    inner.mkdir()
    (one,) = write(folder, one="# Ferry times\n\n## Winter\n\nThe ferry sails at nine.")
    (two,) = write(inner, two="# 渡轮 Ferry\n\nThe ferry stays at home.")
    (folder / "three.txt").write_text("The ferry is late.\fThe ferry of page two.")
    await base.add([one], labels={"team": "sea", "年": "二〇二六"})
    await base.add([folder])
    os.utime(two, (1_700_000_000, 1_700_000_000))
    assert await found(base) == ["one.md", "three.txt", "three.txt", "two.md"]
    assert await found(base, f"source={inner}") == ["two.md"]
    assert await found(base, "source=*/in_ner/*.md") == ["two.md"]
    assert await found(base, "source=*/inXner/*") == []
    assert await found(base, "title=FERRY t") == ["one.md"]
    assert await found(base, "title=渡轮*y") == ["two.md"]
    assert await found(base, "heading=winter") == ["one.md"]
    assert await found(base, "heading=Ferry*W?nter") == ["one.md"]
    assert await found(base, "ending=TXT", "page=2") == ["three.txt"]
    assert await found(base, "label.team=sea", "label.年=二〇二六") == ["one.md"]
    assert await found(base, "label.team=se") == []
    assert await found(base, "until=2001-01-01") == []
    assert await found(base, "since=2001-01-01", "ending=.md") == ["one.md", "two.md"]


@pytest.mark.parametrize("condition", ["source", "sauce=x", "page=two", "since=yesterday", "title="])
def test_a_condition_that_is_none_is_refused(condition: str) -> None:
    with pytest.raises(InvalidInput, match=condition.partition("=")[0]):
        Where.read([condition])


def test_no_condition_is_none() -> None:
    assert not Where.read([])
    assert Where.read(["page=1"])


def test_a_stored_label_holds_its_piece() -> None:
    assert label_piece("b", '"x"') in labels_text({"b": '"x"', "a": "%"})


# Scores and rerankers


class Reverse:
    """The last shall be first."""

    name = "the reverse"

    def __init__(self) -> None:
        self.given: list[str] = []

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        self.given = list(texts)
        return [float(at) for at in range(len(texts))]


class Broken(Reverse):
    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        raise ModelUnavailable("No answer.")


async def test_every_score_is_told(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    await base.add(
        write(folder, a="The ferry sails at nine.", b="A ferry, a ferry, a ferry!", c="Dogs bark.")
    )
    told = await HybridRetriever(base).explain("when does the ferry sail?", limit=3)
    assert told.words == "   ferry sail?".replace("   ", told.words[: told.words.index("ferry")])
    assert {one.words_rank for one in told.found} == {1, 2, None}
    for one in told.found:
        ranks = [rank for rank in (one.words_rank, one.meaning_rank) if rank]
        assert one.fused == pytest.approx(sum(1 / (60 + rank) for rank in ranks))
        assert one.passage.score == one.fused
        assert (one.bm25 is None) == (one.words_rank is None)


async def test_a_reranker_orders_last_and_the_fused_order_stands_when_it_fails(
    knowledge: Knowledge, folder: Path
) -> None:
    base = knowledge()
    await base.add(write(folder, **{f"f{n}": f"The ferry number {n} " + "sails " * n for n in range(6)}))
    fused = await HybridRetriever(base).search("ferry sails", limit=6)
    reranker = Reverse()
    told = await HybridRetriever(base, reranker=reranker).explain("ferry sails", limit=2)
    assert [one.passage.passage_id for one in told.found] == [p.passage_id for p in fused[::-1]][:2]
    assert (told.reranker, told.notice) == ("the reverse", "")
    assert reranker.given[0] == f"{fused[0].title}: {fused[0].text}"
    told = await HybridRetriever(base, reranker=Broken()).explain("ferry sails", limit=6)
    assert [one.passage for one in told.found] == fused
    assert told.notice == "The fused order stands, since the reverse failed: No answer."


# Chinese words


async def test_a_collection_of_chinese_words_is_searched_by_words(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge(words_only=True)
    base.settings = base.settings.__class__(chinese="words")
    await base.add(write(folder, a="中华人民共和国成立了。", b="电池手册"))
    assert (await base.stats()).chinese == "words"
    assert [p.title for p in await HybridRetriever(base).search("电池")] == ["b"]
    base.settings = base.settings.__class__(chinese="pairs")
    assert [p.title for p in await HybridRetriever(base).search("共和国")] == ["a"]
    await base.add(write(folder, c="电池的容量"))
    assert {p.title for p in await HybridRetriever(base).search("电池")} == {"b", "c"}


def test_without_rjieba_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from motet.storage.search import cut_of

    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(ExtraMissing, match=r"motet\[zh\]"):
        cut_of("words")
