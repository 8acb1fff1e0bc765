import pytest
from stage import stage

from motet.agents.rememberer import find_facts, speaks_of_self


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
