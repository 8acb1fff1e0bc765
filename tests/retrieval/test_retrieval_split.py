import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.split import MAX_COMBINING, is_boundary, spans, split
from motet.storage.search import text_width

LETTERS = st.sampled_from(
    [
        "a",
        "b",
        " ",
        "\n",
        "\n\n",
        ". ",
        "，",
        "。",
        "”",
        "渡",
        "轮",
        "e\u0301",
        "👩\u200d👧",
        "🇨🇳",
        "👍🏽",
        "각",
        "🚢",
    ]
)


def pieces(text: str, width: int = 20, overlap: int = 0) -> list[str]:
    return [text[begin:end] for begin, end in spans(text, width=width, overlap=overlap)]


def test_passages_end_where_sentences_do() -> None:
    assert pieces("One two three. Four five. Six seven eight.", 26) == [
        "One two three. Four five.",
        "Six seven eight.",
    ]


def test_chinese_is_cut_after_its_own_punctuation() -> None:
    text = "渡轮九点出发。票价四十元；儿童半价，长者八折！谁可免费？"
    assert pieces(text, 26) == ["渡轮九点出发。票价四十元；", "儿童半价，长者八折！", "谁可免费？"]


def test_a_closing_quote_stays_with_its_sentence() -> None:
    assert pieces("他说：“九点开船。”然后离开了码头。", 20) == ["他说：“九点开船。”", "然后离开了码头。"]


def test_a_cjk_character_counts_twice() -> None:
    assert [len(piece) for piece in pieces("字" * 25, 20)] == [10, 10, 5]
    assert [len(piece) for piece in pieces("x" * 25, 20)] == [20, 5]


def test_an_end_that_a_mark_follows_is_no_place_to_cut() -> None:
    assert pieces("警告！\ufe0f" + "字" * 6, 8) == ["警告！\ufe0f", "字字字字", "字字"]


def test_neighbours_overlap_by_whole_sentences() -> None:
    text = "Aaaa aaaa. Bbbb bbbb. Cccc cccc. Dddd dddd."
    assert pieces(text, 22) == ["Aaaa aaaa. Bbbb bbbb.", "Cccc cccc. Dddd dddd."]
    assert pieces(text, 22, overlap=11) == [
        "Aaaa aaaa. Bbbb bbbb.",
        "Bbbb bbbb. Cccc cccc.",
        "Cccc cccc. Dddd dddd.",
    ]


def test_a_passage_keeps_its_place_heading_and_page() -> None:
    text = "  First part.\n\nSecond part."
    document = LoadedDocument(text, "T", [Section(text[:15], 0, "A", 1), Section(text[15:], 15, "A › B", 2)])
    chunks = split(document, width=100, overlap=0)
    assert [(c.text, c.start, c.heading, c.page) for c in chunks] == [
        ("First part.", 2, "A", 1),
        ("Second part.", 15, "A › B", 2),
    ]


def test_space_gives_no_passage() -> None:
    assert pieces(" \n\n\t ") == []
    assert pieces("") == []


@pytest.mark.parametrize(
    "cluster", ["e\u0301", "👩\u200d👩\u200d👧", "🇨🇳", "👍🏽", "한", "कि", "❤\ufe0f"], ids=ascii
)
def test_what_a_reader_sees_as_one_character_is_never_cut(cluster: str) -> None:
    for lead in range(8):
        text = "x" * lead + cluster * 12
        starts = {lead + len(cluster) * i for i in range(13)} | set(range(lead))
        for begin, end in spans(text, width=9, overlap=0):
            assert begin in starts
            assert end in starts


def test_an_endless_combining_sequence_is_cut_all_the_same() -> None:
    found = pieces("a" + "\u0301" * 5000, 900)
    assert max(len(piece) for piece in found) <= 900 + MAX_COMBINING


@given(st.lists(LETTERS, max_size=120).map("".join), st.integers(8, 40), st.integers(0, 4))
def test_every_passage_is_exact_narrow_and_nothing_is_lost(text: str, width: int, overlap: int) -> None:
    text = unicodedata.normalize("NFC", text)
    found = spans(text, width=width, overlap=overlap)
    assert found == sorted(found)
    covered: set[int] = set()
    for begin, end in found:
        assert text_width(text[begin:end]) <= width
        assert text[begin:end] == text[begin:end].strip()
        assert is_boundary(text, begin)
        assert is_boundary(text, end)
        covered.update(range(begin, end))
    assert all(text[at].isspace() for at in range(len(text)) if at not in covered)
