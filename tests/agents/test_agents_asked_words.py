import pytest

from motet.agents.asked_words import (
    adds_nothing,
    asked_words,
    asks_missing,
    lacks,
    missing_pieces,
    questions,
    says_none,
)

FLEET = "The Kestrel Light of Corvane Ferries is the car ferry. She takes 48 cars and was built in 2009."


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who is the chief executive of Corvane Ferries?", {"chief", "executive"}),
        ("Lifeboats: how many has the Anna Morrow?", {"lifeboats"}),
        ("It sails. Tickets cost what in Port Elwin?", {"sails", "tickets", "cost"}),
        ("where do 24 adults sit?", {"adults", "sit"}),
        ("科文轮渡的首席执行官是谁？", set()),
        ("", set()),
    ],
)
def test_what_is_asked_is_neither_a_function_word_nor_a_name(question: str, words: set[str]) -> None:
    assert asked_words(question) == words


@pytest.mark.parametrize(
    ("words", "text", "none"),
    [
        ({"chief", "executive"}, FLEET, True),
        ({"carry", "vehicles"}, "She carries the mail.", False),
        ({"vehicle", "taken"}, FLEET, False),
        ({"car", "price"}, FLEET, False),
        ({"boss"}, FLEET, False),
        ({"chief", "executive"}, "渡轮全年运行，成人票 64 元。", False),
        ({"chief", "executive"}, "", True),
        (set[str](), FLEET, False),
    ],
)
def test_a_text_says_none_of_them_only_where_no_form_of_any_is_in_it(
    words: set[str], text: str, *, none: bool
) -> None:
    assert says_none(text, words) is none


FREIGHT = "科文轮渡：货运价目。货物一律由“红隼之光”号运输，在埃尔温港交货，每个托盘 85 克朗。"


@pytest.mark.parametrize(
    ("question", "lacking"),
    [
        ("科文轮渡的总经理是谁？", True),
        ("谁是科文轮渡的首席执行官？", True),
        ("科文轮渡在哪里交货？", False),
        ("科文轮渡的船长是谁？", False),
        ("科文轮渡公司的总经理是谁？", False),
        ("托盘的最大高度是多少？", True),
        ("Who is the chief executive of 科文轮渡?", False),
    ],
)
def test_a_chinese_text_may_have_the_names_of_a_question_alone(question: str, *, lacking: bool) -> None:
    assert lacks(FREIGHT, question) is lacking


def test_what_is_missing_of_a_chinese_question_is_its_pieces_that_stand_nowhere() -> None:
    assert missing_pieces(FREIGHT, "科文轮渡的总经理是谁？") == ["总经理"]
    assert missing_pieces("", "科文轮渡的总经理是谁？") == ["科文轮渡", "总经理"]
    assert not lacks("Corvane Ferries", "科文轮渡的总经理是谁？")


def test_questions_of_a_text_end_with_a_question_mark() -> None:
    assert (
        questions("Answer in 3 words. What does it cost? Be brief.\n它多重？")
        == "What does it cost? 它多重？"
    )
    assert questions("Sum this up.") == ""


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("Who is the captain of the Kestrel Light?", True),
        ("Who built the Kestrel Light?", False),
        ("Which cars does the captain of the Kestrel Light take?", False),
        ("科文轮渡的船长是谁？", True),
        ("科文轮渡在哪里交货？", False),
        ("", False),
    ],
)
def test_a_question_may_ask_with_words_that_stand_nowhere(question: str, *, missing: bool) -> None:
    assert asks_missing(question, [FLEET, FREIGHT]) is missing
    assert not asks_missing(question, [])


@pytest.mark.parametrize(
    ("said", "question", "nothing"),
    [
        ("泡岚溪云针的水应该多热。", "泡岚溪云针的水应该多热？", True),
        ("泡岚溪云针的水应该八十度。", "泡岚溪云针的水应该多热？", False),
        ("可以带狗。", "可不可以带狗？", False),
        ("灯便宜。", "灯和帐篷哪个便宜？", False),
        ("The water should be hot.", "How hot should the water be?", True),
        ("The water should be very hot, 80 degrees.", "How hot should the water be?", False),
        ("Breakfast is included.", "Is breakfast included?", False),
        ("The lamp is dear.", "What is dear, the lamp or the tent?", False),
        ("Tom leads it.", "Who leads it?", False),
    ],
)
def test_an_open_question_is_not_answered_in_its_own_words(
    said: str, question: str, *, nothing: bool
) -> None:
    assert adds_nothing(said, question) is nothing
