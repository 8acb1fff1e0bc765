import pytest

from motet.agents.citations import CitationFilter
from motet.agents.claims import DOUBT, Claims, last_claim
from motet.events import Passage

TEXTS = [
    "An adult pays 64 crowns for the crossing.",
    "A dog pays 12.50 crowns; the harbour opens at nine.",
    "渡轮全年运行，成人票 64 元，儿童票 32 元。",
]
NOWHERE = "(The documents do not bear this out.)"
"""Stands after an answer none of whose claims is borne out."""

PASSAGES = [Passage(passage_id=str(n), text=text, source="s") for n, text in enumerate(TEXTS)]


def said(text: str, noted: str = "", given: str = "") -> str:
    filter_ = CitationFilter(PASSAGES, noted, given)
    return "".join(map(filter_.feed, text)) + filter_.finish()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("An adult pays 64 [1].", "An adult pays 64 [1]."),
        ("An adult pays 65 [1].", f"An adult pays 65 {DOUBT}. {NOWHERE}"),
        ("An adult pays 65. [1]", f"An adult pays 65. {DOUBT} {NOWHERE}"),
        ("An adult pays 64 [1]. A child pays 99 [2].", f"An adult pays 64 [1]. A child pays 99 {DOUBT}."),
        ("An adult pays 64 and a dog 12.50 [1][2].", "An adult pays 64 and a dog 12.50 [1][2]."),
        ("A dog pays about 12 [2].", "A dog pays about 12 [2]."),
        ("A child pays 32 [1].", "A child pays 32 [3]."),
        ("A child pays 32 [1][3].", "A child pays 32 [3]."),
        ("成人票 64 元[3]，老人票 48 元[3]。", f"成人票 64 元[3]，老人票 48 元{DOUBT}。"),
        ("It costs 77 [1][2].", f"It costs 77 {DOUBT}. {NOWHERE}"),
        ("Two adults pay 5 less [1].", "Two adults pay 5 less [1]."),
    ],
)
def test_a_citation_stands_only_where_its_claim_is_borne_out(text: str, shown: str) -> None:
    assert said(text) == shown


def test_what_was_asked_and_worked_out_needs_no_passage() -> None:
    assert said("24 adults pay 1536 [1].", "calculator: 24 * 64 = 1536", "What do 24 adults pay?").endswith(
        "[1]."
    )
    assert said("25 adults pay 1536 [1].", "calculator: 24 * 64 = 1536") == (
        f"25 adults pay 1536 {DOUBT}. {NOWHERE}"
    )


def test_a_sentence_that_shares_no_word_is_doubted_unless_the_languages_differ() -> None:
    english = Claims(PASSAGES[:2])
    unknown = "Whales migrate northwards during every summer season"
    assert english.source(unknown, 1) == 0
    assert english.source("The harbour opens at nine sharp this morning", 1) == 2
    assert english.source("Nobody knows", 1) == 1
    assert Claims(PASSAGES).source(unknown, 1) == 1
    assert Claims(PASSAGES).source("渡轮每天都准时开往对面的小岛", 1) == 1


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("One. Two is 3.5 [1]", " Two is 3.5"),
        ("One. Two [1]. [2]", "Two"),
        ("One [1] and two [2][?]", "and two"),
        ("第一句。第二句[1]", "第二句"),
        ("", ""),
        ("Only", "Only"),
    ],
)
def test_the_last_claim_is_the_last_sentence(text: str, claim: str) -> None:
    assert last_claim(text).strip() == claim.strip()
