import pytest
from stage import stage

from motet.agents.prompts import Prompts
from motet.agents.reranker import MAX_CHARS, ModelReranker
from motet.errors import ModelOutputInvalid
from motet.models.base import ConnectedModel

TEXTS = ["Dogs bark.", "A ticket costs 12.", "Groups pay less.", "x" * 2000]


def reranker(reply: object) -> tuple[ModelReranker, list[object]]:
    parts, calls = stage({"Ranking": reply})

    async def connect() -> ConnectedModel:
        return parts.agents.fast

    return ModelReranker(connect, Prompts()), calls  # pyright: ignore[reportReturnType]


async def test_the_named_come_first_in_their_order_and_the_others_stay() -> None:
    made, calls = reranker({"best": [3, 2, 3, 50]})
    assert await made.scores("ticket price?", TEXTS) == [0.0, 3.0, 4.0, 0.0]
    shown: str = calls[0].user_text  # pyright: ignore[reportAttributeAccessIssue]
    assert "[2] A ticket costs 12." in shown
    assert "x" * MAX_CHARS in shown
    assert "x" * (MAX_CHARS + 1) not in shown
    assert "Question: ticket price?" in shown


async def test_the_prompt_is_in_the_querys_language() -> None:
    made, calls = reranker({"best": []})
    assert await made.scores("票价是多少？", TEXTS) == [0.0] * 4
    assert "问题：票价是多少？" in calls[0].user_text  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_model_that_does_not_answer_the_form_fails() -> None:
    made, _ = reranker(lambda _: "no")
    with pytest.raises(ModelOutputInvalid):
        await made.scores("q", TEXTS)
