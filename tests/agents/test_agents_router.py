import pytest
from langchain_core.messages import AIMessage, HumanMessage
from stage import stage

from motet.agents.rememberer import find_facts, speaks_of_self
from motet.agents.reviewer import review
from motet.agents.router import choose_route


async def test_the_router_sees_the_message_and_what_was_said_before() -> None:
    parts, calls = stage({"Route": {"route": "direct", "personal": True}})
    said = [HumanMessage("I am Ada"), AIMessage("Hello Ada"), HumanMessage("and you?")]
    chosen = await choose_route(parts.agents, said, "en")
    assert (chosen.route, chosen.personal) == ("direct", True)
    assert calls[0].user_text == "user: I am Ada\nassistant: Hello Ada\nuser: and you?"


async def test_a_review_that_cannot_be_understood_lets_the_work_pass() -> None:
    parts, _ = stage({"Review": lambda call: "hm"})
    assert (await review(parts.agents, [HumanMessage("material")], "en")).enough


async def test_facts_are_told_once_and_none_when_there_is_none() -> None:
    parts, _ = stage({"Facts": {"facts": ["The user is Ada.", "The user is Ada."]}})
    assert await find_facts(parts.agents, "I am Ada", "en") == ["The user is Ada."]
    parts, _ = stage({"Facts": lambda call: "none"})
    assert await find_facts(parts.agents, "hm", "en") == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I like tea.", True),
        ("我喜欢茶。", True),
        ("What do I owe?", False),
        ("Tea is nice.", False),
        ("", False),
    ],
)
def test_only_statements_in_the_first_person_speak_of_the_user(said: str, expected: bool) -> None:
    assert speaks_of_self(said) is expected
