import pytest

from motet.storage.content_words import content_words, may_be_english, without_function_words


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("How much is an adult ticket to Brenna?", "adult ticket Brenna?"),
        ("What's the deposit for a group of 18?", "What's deposit group 18?"),
        ("请问成人票价是多少？", "成人票价 ？"),
        ("团体的折扣有哪些", "团体 折扣"),
        ("本次旅行的目的地是哪里", "本次旅行 目的地是"),
        ("from 的 to", "from 的 to"),
        ("what is it?", "what is it?"),
        ("", ""),
    ],
)
def test_function_words_are_dropped_when_something_remains(question: str, kept: str) -> None:
    assert content_words(question).split() == kept.split()


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("The crossing to Brenna takes two nights and costs more in summer.", True),
        ("John Corvane leads it.", True),
        ("Kestrel Light", True),
        ("Die Überfahrt nach Norwegen dauert eine Nacht und kostet viel.", False),
        ("Am Sonntag fährt die Fähre so nicht, und in den Ferien zahlt man an der Kasse.", False),
        ("De boot vaart in de zomer elke dag en is in het weekend vol, dus kom op tijd.", False),
        ("La traversée dure deux nuits et coûte plus cher en été.", False),
        ("El viaje dura dos noches y cuesta más en verano.", False),
    ],
)
def test_other_languages_are_not_taken_for_english(text: str, english: bool) -> None:
    assert may_be_english(text) is english


def test_nothing_but_function_words_leaves_nothing() -> None:
    assert without_function_words("What is it? 什么的").split() == ["?"]
    assert without_function_words("订单的状态").split() == ["订单", "状态"]
