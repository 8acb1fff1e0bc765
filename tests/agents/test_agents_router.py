import pytest
from langchain_core.messages import AIMessage, HumanMessage
from stage import stage

from motet.agents.router import asks_for_nothing, choose_route, is_small_talk


async def test_the_router_sees_the_message_and_what_was_said_before() -> None:
    parts, calls = stage({"Route": {"route": "direct", "personal": True}})
    said = [HumanMessage("I am Ada"), AIMessage("Hello Ada"), HumanMessage("and you?")]
    chosen = await choose_route(parts.agents, said, "en")
    assert (chosen.route, chosen.personal) == ("direct", True)
    assert calls[0].user_text == "user: I am Ada\nassistant: Hello Ada\nuser: and you?"


DIRECT = {"Route": {"route": "direct", "personal": False}}


@pytest.mark.parametrize(
    ("asked", "named", "route"),
    [
        ("How is sourdough baked?", True, "plan"),
        ("烤酸面包怎么做", True, "plan"),
        ("你好！", True, "direct"),
        ("Thanks a lot :)", True, "direct"),
        (" ", True, "direct"),
        ("烤酸面包怎么做", False, "direct"),
    ],
)
async def test_where_documents_were_named_only_small_talk_is_not_looked_up(
    asked: str, named: bool, route: str
) -> None:
    parts, _ = stage(DIRECT, documents_named=named)
    assert (await choose_route(parts.agents, [HumanMessage(asked)], "en")).route == route


async def test_a_follow_up_may_be_about_the_conversation_alone_also_where_documents_were_named() -> None:
    parts, _ = stage(DIRECT, documents_named=True)
    said = [HumanMessage("What does it cost?"), AIMessage("12 euros [1]"), HumanMessage("Say that again.")]
    assert (await choose_route(parts.agents, said, "en")).route == "direct"


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("Hi there!", True),
        ("good morning, everyone", True),
        ("Thank you so much.", True),
        ("大家早上好！", True),
        ("非常感谢！！", True),
        ("Hi, what does it cost?", False),
        ("你好，退票怎么办？", False),
        ("Hidden costs", False),
        ("", False),
        ("谢谢你好" * 5000 + "?x", False),
    ],
)
def test_small_talk_is_nothing_but_its_words(text: str, is_it: bool) -> None:
    assert is_small_talk(text) is is_it


@pytest.mark.parametrize(
    ("asked", "personal", "route"),
    [
        ("My name is Ada, and I live in Port Elwin.", True, "direct"),
        ("我叫小雅，我吃素。", True, "direct"),
        ("My name is Ada, and I live in Port Elwin.", False, "plan"),
        ("My name is Ada. What does a ticket cost?", True, "plan"),
        ("我叫小雅，我想知道票价。", True, "plan"),
        ("The harbour opens at nine.", True, "plan"),
    ],
)
async def test_what_only_tells_of_the_user_is_not_looked_up(asked: str, personal: bool, route: str) -> None:
    parts, _ = stage({"Route": {"route": "direct", "personal": personal}}, documents_named=True)
    assert (await choose_route(parts.agents, [HumanMessage(asked)], "en")).route == route


async def test_what_the_router_would_look_up_is_looked_up_though_it_tells_of_the_user() -> None:
    parts, _ = stage({"Route": {"route": "plan", "personal": True}}, documents_named=True)
    assert (await choose_route(parts.agents, [HumanMessage("I am Ada.")], "en")).route == "plan"


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("I am a nurse in Lysnes.", True),
        ("我是护士，住在宁波。", True),
        ("I need the price of a ticket.", False),
        ("Tell me about my rights.", False),
        ("我的行李能带几件", False),
        ("Dogs sleep on deck.", False),
        ("", False),
    ],
)
def test_a_message_asks_for_nothing_when_it_is_of_oneself_and_has_no_word_that_asks(
    text: str, *, nothing: bool
) -> None:
    assert asks_for_nothing(text) is nothing
