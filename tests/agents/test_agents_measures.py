import pytest

from motet.agents.measures import answers_otherwise, currencies, kinds_asked, kinds_given, pays_otherwise


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("How much does a scale weigh?", {"mass"}),
        ("How heavy may a pallet be, and what is the fee?", {"mass", "money", "share"}),
        ("How long does porridge take?", {"time", "length"}),
        ("How far ahead must groups book?", set()),
        ("How high is the discount?", set()),
        ("这台秤多重？", {"mass"}),
        ("粥要煮多久？", {"time"}),
        ("票价是多少？", {"money", "share"}),
        ("电梯由谁修？", set()),
        ("", set()),
    ],
)
def test_a_question_says_which_kinds_of_quantity_may_answer_it(question: str, kinds: set[str]) -> None:
    assert kinds_asked(question) == kinds


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("The weight of a scale is 140 euros.", {"money"}),
        ("A pallet of 900 kg costs €12.", {"mass", "money"}),
        ("It takes twenty minutes at 18 km/h.", {"time", "speed"}),
        ("27 nautical miles", {"length"}),
        ("7.4 million euros", {"money"}),
        ("The offer was 410 pounds.", {"mass", "money"}),
        ("每个托盘 85 克朗。", {"money"}),
        ("内胆重1.1公斤，保修两年。", {"mass", "time"}),
        ("Room 12 minuted it.", set()),
        ("A week.", set()),
        ("", set()),
    ],
)
def test_a_text_gives_numbers_with_their_units(text: str, kinds: set[str]) -> None:
    assert kinds_given(text) == kinds


@pytest.mark.parametrize(
    ("said", "question", "otherwise"),
    [
        ("A scale weighs 140 euros.", "How much does a scale weigh?", True),
        ("这台秤重 140 欧元。", "这台秤多重？", True),
        ("A scale weighs 3 kg and costs 140 euros.", "How much does a scale weigh?", False),
        ("Groups pay 15 % less.", "What is the fare for groups?", False),
        ("A scale weighs 36.", "How much does a scale weigh?", False),
        ("A scale costs 140 euros.", "What about scales?", False),
    ],
)
def test_an_answer_is_of_a_kind_that_was_asked_for(said: str, question: str, *, otherwise: bool) -> None:
    assert answers_otherwise(said, question) is otherwise


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("It costs 75 francs.", {"franc"}),
        ("€12 或 12 欧元", {"euro"}),
        ("85 克朗", {"crown"}),
        ("18.6 万元", {"yuan"}),
        ("Frank crowned it.", set()),
    ],
)
def test_a_currency_has_one_name_in_every_language(text: str, named: set[str]) -> None:
    assert currencies(text) == named


def test_a_text_pays_otherwise_in_a_currency_that_was_not_spoken_of() -> None:
    assert pays_otherwise("75 francs", {"crown"})
    assert not pays_otherwise("64 crowns, which are 8 euros", {"crown"})
    assert not pays_otherwise("75 francs", set())
    assert not pays_otherwise("75", {"crown"})
