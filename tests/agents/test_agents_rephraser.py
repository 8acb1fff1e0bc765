from langchain_core.messages import AIMessage, HumanMessage
from stage import stage

from motet.agents.rephraser import ALONE_WIDTH, stand_alone

ASKED = "What does a ticket cost for 24 adults?"


async def test_the_first_question_and_a_long_one_stay_as_they_are() -> None:
    parts, calls = stage()
    assert await stand_alone(parts.agents, [HumanMessage(ASKED)], "en") == ASKED
    long = "渡" * (ALONE_WIDTH // 2)
    talk = [HumanMessage(ASKED), AIMessage("240 [1]."), HumanMessage(long)]
    assert await stand_alone(parts.agents, talk, "zh") == long
    assert calls == []


async def test_a_follow_up_is_asked_with_what_the_conversation_says() -> None:
    whole = "What does a ticket cost for one adult?"
    parts, calls = stage({"Question": {"question": whole}})
    talk = [HumanMessage(ASKED), AIMessage("240 [1]."), HumanMessage("and for one adult?")]
    assert await stand_alone(parts.agents, talk, "en") == whole
    (call,) = calls
    assert f"user: {ASKED}\nassistant: 240 [1].\nLast message: and for one adult?" in call.user_text


async def test_a_model_that_cannot_rephrase_leaves_the_users_words() -> None:
    parts, _ = stage({"Question": lambda _: "no JSON at all"})
    talk = [HumanMessage(ASKED), AIMessage("240 [1]."), HumanMessage("那一个人呢？")]
    assert await stand_alone(parts.agents, talk, "zh") == "那一个人呢？"
