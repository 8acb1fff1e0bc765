import pytest
from langgraph.store.memory import InMemoryStore
from stage import Call, only, play_through, stage

from motet.agents.rememberer import compare, find_facts, speaks_of_self
from motet.events import MemoryWritten
from motet.graphs.ensemble import build_ensemble
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


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [({"verdict": "replaces"}, "replaces"), ({"verdict": "same"}, "same"), ("nonsense", "new")],
)
async def test_a_new_fact_is_compared_with_an_older_one(reply: object, expected: str, language: str) -> None:
    def answer(_: Call) -> object:
        return {"json": reply} if isinstance(reply, dict) else reply

    parts, calls = stage({"Comparison": answer})
    found = await compare(parts.agents, "It is Bella.", "It is Max.", "zh" if language == "zh" else "en")
    assert found == expected
    first = calls[0].user_text
    assert first.index("Bella") < first.index("Max")


def remembering(verdict: str, text: str, kind: str) -> dict[str, object]:
    return {
        "Route": {"route": "direct", "personal": True},
        "UserFacts": {"facts": [{"text": text, "kind": kind}]},
        "Comparison": {"verdict": verdict},
        "answer": "Noted.",
    }


@pytest.mark.parametrize(
    ("said", "old", "verdict", "kind", "left"),
    [
        ("My dog is Bella.", "The dog is Max.", "replaces", "identity", ["The dog is Bella."]),
        ("My dog is Bella.", "The dog is Max.", "new", "identity", ["The dog is Bella.", "The dog is Max."]),
        ("My dog is Bella.", "The dog is Max.", "same", "identity", ["The dog is Max."]),
        ("My dog is Bella.", "The user sings.", "replaces", "identity", ["The dog is Bella.", "The user sings."]),
        ("My dog is Bella.", "The dog is Max.", "replaces", "preference", ["The dog is Bella.", "The dog is Max."]),
        ("My dog is Bella now.", "The dog is Max.", "replaces", "preference", ["The dog is Bella."]),
    ],
)  # fmt: skip
async def test_what_is_true_no_more_is_replaced_and_all_else_stays(
    said: str, old: str, verdict: str, kind: str, left: list[str]
) -> None:
    memories = Memories(InMemoryStore())
    await memories.write(old)
    parts, _ = stage(remembering(verdict, "The dog is Bella.", kind), memories=memories)
    events = await play_through(build_ensemble(parts), said)
    assert sorted(memory.text for memory in await memories.all()) == left
    told = only(events, MemoryWritten)
    assert [(e.text, e.before) for e in told] == (
        [] if verdict == "same" else [("The dog is Bella.", old if len(left) == 1 else "")]
    )


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


async def test_what_a_document_said_does_not_keep_the_users_own_words_out() -> None:
    memories = Memories(InMemoryStore())
    await memories.write("The dog is called Bella.", author="document")
    parts, _ = stage(remembering("same", "The dog is Bella.", "identity"), memories=memories)
    await play_through(build_ensemble(parts), "My dog is Bella.")
    assert [(m.text, m.trust) for m in await memories.all()] == [("The dog is Bella.", "user")]
