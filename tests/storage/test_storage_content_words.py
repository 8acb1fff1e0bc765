import pytest

from motet.storage.content_words import content_words, without_function_words


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


def test_nothing_but_function_words_leaves_nothing() -> None:
    assert without_function_words("What is it? 什么的").split() == ["?"]
    assert without_function_words("订单的状态").split() == ["订单", "状态"]
