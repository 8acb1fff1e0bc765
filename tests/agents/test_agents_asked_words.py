import pytest

from motet.agents.asked_words import asked_words, says_none

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
