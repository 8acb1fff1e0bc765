import pytest
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from stage import stage, with_fast

from motet.agents.second_look import MAX_CHARS, STATED, is_stated


@pytest.mark.parametrize(
    ("reply", "stated"),
    [
        ("yes", True),
        ("no", False),
        ("No.", False),
        ("**no**, it only says who built it", False),
        ("Nothing denies it.", True),
        ("maybe", True),
        ("", True),
        ("是", True),
        ("否。", False),
        ("没有", False),
    ],
)
async def test_a_model_is_asked_for_that_alone_and_only_its_no_denies(reply: str, *, stated: bool) -> None:
    parts, calls = stage({"stated": reply})
    assert await is_stated(parts.agents, "Find the captain.", "Ada\nbuilt it. It sails.", "en") is stated
    assert [call.user_text for call in calls] == [
        "Text: Ada built it. It sails.\nQuestion: Find the captain."
    ]


async def test_a_text_is_looked_at_to_its_longest_length() -> None:
    parts, calls = stage()
    assert await is_stated(parts.agents, "查找船长。", "船" * 5000, "zh")
    assert calls[0].user_text == f"文字：{'船' * MAX_CHARS}\n问题：查找船长。"


def saying(word: str, other: str, odds: float) -> AIMessage:
    """Return a reply of one word that is by so much likelier than another."""
    likely = [{"token": word, "logprob": -0.5}, {"token": other, "logprob": -0.5 - odds}]
    return AIMessage(
        word, response_metadata={"logprobs": {"content": [{"token": word, "top_logprobs": likely}]}}
    )


@pytest.mark.parametrize(
    ("reply", "stated"),
    [
        (saying("yes", "no", STATED + 0.1), True),
        (saying("yes", "no", STATED - 0.1), False),
        (saying("no", "yes", 2), False),
        (saying("是", "否", 1), True),
        (saying("否", "是", 1), False),
        (AIMessage("no"), False),
    ],
)
async def test_a_statement_says_it_where_the_model_is_sure_of_that(reply: AIMessage, *, stated: bool) -> None:
    parts, _ = stage()
    agents = with_fast(parts, chat=FakeMessagesListChatModel(responses=[reply]), logprobs=True)
    assert await is_stated(agents, "Find the captain.", "Fleet: Ada built it.", "en") is stated
