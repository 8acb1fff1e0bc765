import pytest
from langgraph.store.memory import InMemoryStore
from stage import Call, stage

from motet.agents.rememberer import compare, find_facts, speaks_of_self
from motet.memory.recall import Memories


def facts(*texts: str) -> dict[str, object]:
    return {"UserFacts": {"facts": [{"text": text, "kind": "identity"} for text in texts]}}


async def test_facts_are_told_once_and_none_when_there_is_none() -> None:
    parts, calls = stage(facts("The user is Ada.", "The user is Ada."))
    [fact] = await find_facts(parts.agents, 'I am "Ada"', "en")
    assert (fact.text, fact.kind) == ("The user is Ada.", "identity")
    assert calls[0].user_text == '"I am \\"Ada\\"" ->'
    parts, _ = stage({"UserFacts": lambda call: "none"})
    assert await find_facts(parts.agents, "hm", "en") == []


@pytest.mark.parametrize(
    ("said", "language", "kept"),
    [
        ("I live in Oslo", "en", ["The user lives in Oslo."]),
        ("我住在奥斯陆", "zh", ["用户住在奥斯陆。"]),
        ("hm", "en", []),
    ],
)
async def test_a_fact_without_a_word_of_the_users_is_an_invention(
    said: str, language: str, kept: list[str]
) -> None:
    parts, _ = stage(facts("The user lives in Oslo.", "用户住在奥斯陆。", "用户吃素。"))
    found = await find_facts(parts.agents, said, "zh" if language == "zh" else "en")
    assert [fact.text for fact in found] == kept


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"verdict": "replaces", "note": 1}, ("The dog is called Max.", "replaces")),
        ({"verdict": "same", "note": 1}, ("The dog is called Max.", "same")),
        ({"verdict": "new", "note": 1}, (None, "new")),
        ({"verdict": "replaces", "note": 0}, (None, "new")),
        ({"verdict": "replaces", "note": 9}, (None, "new")),
        ("nonsense", (None, "new")),
    ],
)
async def test_a_new_fact_is_compared_with_those_about_the_same(reply: object, expected: object) -> None:
    memories = Memories(InMemoryStore())
    await memories.write("The dog is called Max.")
    await memories.write("The user sings.")
    known = await memories.about_the_same("The dog is called Bella.")
    assert [memory.text for memory in known] == ["The dog is called Max."]

    def answer(call: Call) -> object:
        assert call.user_text == "New: The dog is called Bella. Old: 1. The dog is called Max. ->"
        return {"json": reply} if isinstance(reply, dict) else reply

    parts, _ = stage({"Comparison": answer} if isinstance(reply, dict) else {"Comparison": lambda _: reply})
    memory, verdict = await compare(parts.agents, "The dog is called Bella.", known, "en")
    assert (memory.text if memory else None, verdict) == expected


async def test_nothing_is_asked_where_nothing_is_about_the_same() -> None:
    parts, calls = stage()
    assert await compare(parts.agents, "The user sings.", [], "en") == (None, "new")
    assert calls == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I like tea.", True),
        ("我喜欢茶。", True),
        ("What do I owe?", False),
        ("Tea is nice.", False),
        ("", False),
        ("Sum up:\n> I like tea.", False),
    ],
)
def test_only_statements_in_the_first_person_speak_of_the_user(said: str, expected: bool) -> None:
    assert speaks_of_self(said) is expected
