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
        ("A child pays 32 [3][1].", "A child pays 32 [3]."),
        ("A dog and the harbour opens at 32 [2][3].", "A dog and the harbour opens at 32 [2][3]."),
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


FLEET = [
    Passage(
        passage_id="f", text="Corvane Ferries runs the Anna Morrow, built by Ada Lind in 2018.", source="s"
    ),
    Passage(passage_id="g", text="The crew of Corvane Ferries meets 24 people.", source="s"),
]
NORWEGEN = Passage(
    passage_id="d", text="Die Überfahrt nach Norwegen dauert eine Nacht und kostet viel.", source="s"
)
MINUTES = Passage(passage_id="m", text="苗木由冯立群采购，电梯由恒远机电公司大修。", source="s")


@pytest.mark.parametrize(
    ("passages", "asked", "text", "shown"),
    [
        (FLEET, "Who leads it?", "John Corvane leads it [1].", f"John Corvane leads it {DOUBT}. {NOWHERE}"),
        (FLEET, "Who built it?", "It was built by Ada Lind [1].", "It was built by Ada Lind [1]."),
        (
            FLEET,
            "Did Grace build it?",
            "Ada Lind, not Grace, built it [1].",
            "Ada Lind, not Grace, built it [1].",
        ),
        ([MINUTES], "Who buys them?", "Feng Liqun buys them [1].", "Feng Liqun buys them [1]."),
        (FLEET[:1], "谁造了船？", "船由艾达·林德建造[1]。", "船由艾达·林德建造[1]。"),
        (
            [MINUTES],
            "谁采购苗木？",
            "苗木由约翰·林德采购[1]。",
            f"苗木由约翰·林德采购{DOUBT}。 （文档中没有依据。）",
        ),
        ([MINUTES], "谁采购苗木？", "苗木由李明采购[1]。", f"苗木由李明采购{DOUBT}。 （文档中没有依据。）"),
        ([MINUTES], "谁采购苗木？", "苗木由冯立群采购[1]。", "苗木由冯立群采购[1]。"),
        (
            [NORWEGEN],
            "Was kostet sie?",
            "Der Fahrpreis ist nach Ansicht vieler Gäste hoch [1].",
            "Der Fahrpreis ist nach Ansicht vieler Gäste hoch [1].",
        ),
        (
            [NORWEGEN],
            "Where does it go?",
            "It goes to Norway in one night [1].",
            "It goes to Norway in one night [1].",
        ),
        ([MINUTES], "哪家公司修电梯？", "恒远机电公司[1]。", "恒远机电公司[1]。"),
    ],
)
def test_a_name_that_stands_nowhere_is_doubted_unless_it_may_be_translated(
    passages: list[Passage], asked: str, text: str, shown: str
) -> None:
    filter_ = CitationFilter(passages, asked=asked)
    assert "".join(map(filter_.feed, text)) + filter_.finish() == shown


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("An adult weighs 64 crowns [1].", f" {NOWHERE}"),
        ("An adult pays 64 crowns [1] and weighs 64 kg [1].", ""),
        ("An adult pays 64 crowns [1].", f" {NOWHERE}"),
        ("An adult weighs 64 [1].", ""),
        ("The documents do not say what an adult of 64 crowns weighs.", ""),
    ],
)
def test_another_quantity_than_was_asked_for_is_doubted_in_the_end(text: str, note: str) -> None:
    filter_ = CitationFilter(PASSAGES[:2], asked="How much does an adult weigh?")
    assert filter_.feed(text) + filter_.finish() == text + note


@pytest.mark.parametrize(
    ("text", "noted", "shown"),
    [
        (
            "You get back 32 francs [1].",
            "calculator: 64 / 2 = 32",
            f"You get back 32 francs {DOUBT}. {NOWHERE}",
        ),
        ("You get back 32 crowns [1].", "calculator: 64 / 2 = 32", "You get back 32 crowns [3]."),
        ("孩子付 32 克朗[1]。", "", "孩子付 32 克朗[3]。"),
    ],
)
def test_a_currency_that_nobody_spoke_of_is_doubted(text: str, noted: str, shown: str) -> None:
    assert said(text, noted) == shown


def test_a_noted_figure_of_a_passage_is_cited_from_it() -> None:
    assert said("A child pays 32 [1].", "a child pays 32") == "A child pays 32 [3]."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The crossing for an adult is 64 crowns.", "The crossing for an adult is 64 crowns. [1]"),
        ("An adult pays 65 crowns for the crossing.", f"An adult pays 65 crowns for the crossing. {NOWHERE}"),
        (
            "The adult pays Ada crowns for the crossing.",
            f"The adult pays Ada crowns for the crossing. {NOWHERE}",
        ),
    ],
)
def test_what_cites_nothing_gets_no_source_for_what_is_in_none(text: str, shown: str) -> None:
    assert said(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[1] An adult pays 64 crowns.", "[1] An adult pays 64 crowns."),
        ("[1] An adult pays 65 crowns.", f"[1] An adult pays 65 crowns. {NOWHERE}"),
        ("[3] 成人票 64 元。", "[3] 成人票 64 元。"),
        ("[3] 成人票 66 元。", "[3] 成人票 66 元。 （文档中没有依据。）"),
        ("An adult pays 64 [1], so two pay 128.", "An adult pays 64 [1], so two pay 128."),
    ],
)
def test_claims_behind_their_citations_are_judged_in_the_end(text: str, shown: str) -> None:
    assert said(text) == shown


@pytest.mark.parametrize(
    ("text", "doubted", "note"),
    [
        ("The captain is Ada Lind [1].", True, f" {NOWHERE}"),
        ("The captain is Ada Lind [1].", False, ""),
        ("Ada Lind built it.", True, f" {NOWHERE}"),
        ("The documents do not say who the captain is.", True, ""),
    ],
)
def test_what_is_doubted_beforehand_is_called_so_unless_it_says_that_nothing_is_said(
    text: str, *, doubted: bool, note: str
) -> None:
    filter_ = CitationFilter(FLEET, asked="Who is the captain of the Anna Morrow?", doubted=doubted)
    assert filter_.feed(text) + filter_.finish() == text + note
