from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore
from stage import Call, Library, ToolCall, calculation, is_look, only, play_through, stage, with_all

from motet.agents.unanswered import NOTHING, UNSUPPORTED
from motet.events import MessageCompleted, MessageDelta, RetrievalCompleted, ToolCompleted, ToolStarted
from motet.graphs.base import GraphParts
from motet.graphs.chat import build_chat
from motet.memory.recall import Memories
from motet.models.scripted import scripted


def searching(call: Call) -> Any:
    """Search twice, then answer."""
    results = [m for m in call.messages if m.type == "tool"]
    if len(results) < 2:
        return ToolCall("search_documents", {"query": ["ticket price", "group discount"][len(results)]})
    return "A ticket costs 12 euros [1] and groups pay less [2], says [3]."


async def test_it_answers_without_a_tool_when_none_is_needed() -> None:
    parts, calls = stage({"tool": "Hello!"})
    events = await play_through(build_chat(parts), "Hi")
    assert [e.text for e in only(events, MessageCompleted)] == ["Hello!"]
    assert len(calls) == 1


async def test_it_calls_a_tool_and_answers_from_the_result() -> None:
    parts, calls = stage({"answer": "It is 216."})
    events = await play_through(build_chat(parts), "What is 20 * 12 * 0.9?")
    assert [e.name for e in only(events, ToolStarted)] == ["calculator"]
    assert "216" in only(events, ToolCompleted)[0].content
    assert "".join(e.text for e in only(events, MessageDelta)) == "It is 216."
    assert "216" in calls[-1].messages[-1].text


async def test_passages_of_several_searches_are_numbered_through_and_citations_checked() -> None:
    parts, _ = stage()
    model = scripted(searching)
    agents = type(parts.agents)(
        model, model, parts.agents.prompts, parts.agents.settings, parts.agents.tools, parts.agents.retriever
    )
    events = await play_through(build_chat(GraphParts(agents)), "What do groups pay?")
    [answer] = only(events, MessageCompleted)
    assert answer.text == "A ticket costs 12 euros [1] and groups pay less [2], says."
    assert [p.number for p in answer.citations] == [1, 2]
    assert [e.query for e in only(events, RetrievalCompleted)] == ["ticket price", "group discount"]


@pytest.mark.parametrize(
    ("small", "look", "note"), [(True, "no", f" {UNSUPPORTED['en']}"), (True, "yes", ""), (False, "no", "")]
)
async def test_what_a_small_model_finds_unsaid_when_asked_for_that_alone_is_noted(
    *, small: bool, look: str, note: str
) -> None:
    found = ToolCall("search_documents", {"query": "ticket weight"})
    parts, calls = stage({"tool": found, "stated": look, "answer": "A ticket weighs 12 euros [1]."})
    parts = with_all(parts, small=small)
    events = await play_through(build_chat(parts), "How heavy is a ticket?", "And for groups?")
    assert only(events, MessageCompleted)[-1].text == f"A ticket weighs 12 euros [1].{note}"
    looks = [call.user_text for call in calls if is_look(call)]
    assert len(looks) == 2 * small
    assert not looks or looks[0].endswith("Question: How heavy is a ticket?")
    assert not looks or looks[1].endswith("Question: ticket weight"), "a follow-up says too little"


@pytest.mark.parametrize(
    ("small", "named", "asked", "route", "queries"),
    [
        (True, True, "How heavy is a ticket?", "direct", ["How heavy is a ticket?"]),
        (True, True, "Hello!", "direct", []),
        (True, False, "How heavy is a ticket?", "plan", []),
        (False, True, "How heavy is a ticket?", "plan", []),
    ],
)
async def test_what_is_asked_of_named_documents_is_looked_up_before_a_small_model_is_asked(
    *, small: bool, named: bool, asked: str, route: str, queries: list[str]
) -> None:
    given, calls = stage(
        {"Route": {"route": route, "personal": False}, "tool": "Hello."}, documents_named=named
    )
    parts = with_all(given, small=small)
    events = await play_through(build_chat(parts), asked)
    assert [event.query for event in only(events, RetrievalCompleted)] == queries
    assert [event.name for event in only(events, ToolStarted)] == ["search_documents"] * len(queries)
    offered = [tool["function"]["name"] for tool in calls[-1].tools]
    assert "calculator" in offered
    assert ("search_documents" in offered) is not bool(queries), "it has searched"


@pytest.mark.parametrize(("route", "queries"), [("plan", ["What do groups pay?"]), ("direct", [])])
async def test_a_follow_up_to_named_documents_is_looked_up_as_a_whole_where_the_router_says_so(
    route: str, queries: list[str]
) -> None:
    routes = ["plan", route]
    script: dict[str, Any] = {
        "Route": lambda _: {"json": {"route": routes.pop(0), "personal": False}},
        "Question": {"question": "What do groups pay?"},
        "tool": "12 euros.",
    }
    given, _ = stage(script, documents_named=True)
    parts = with_all(given, small=True)
    events = await play_through(build_chat(parts), "What does a ticket cost?", "And groups?")
    assert [event.query for event in only(events, RetrievalCompleted)] == queries


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("How heavy is a ticket?", NOTHING["en"]), ("What do 20 tickets cost?", "240 euros. [1]")],
)
async def test_what_named_documents_are_found_not_to_say_is_not_answered_by_a_small_model(
    asked: str, answer: str
) -> None:
    given, calls = stage({"stated": "no", "answer": "240 euros. [1]"}, documents_named=True)
    parts = with_all(given, small=True)
    events = await play_through(build_chat(parts), asked)
    assert only(events, MessageCompleted)[-1].text.startswith(answer.partition(" [")[0])
    looked = [is_look(call) for call in calls]
    assert looked[-1] is (answer == NOTHING["en"]), "nobody is asked to answer what is not said"
    assert any(looked) is looked[-1], "what is to be worked out is said by no passage"


@pytest.mark.parametrize("small", [True, False])
async def test_a_small_model_is_shown_the_nearest_statements_of_passages(*, small: bool) -> None:
    many = " ".join(f"Number {n} is of no use." for n in range(30))
    library = Library(f"A ticket costs 12 euros. {many}", "Nothing of that.")
    found = ToolCall("search_documents", {"query": "ticket costs"})
    given, calls = stage({"tool": found, "answer": "12 euros [1]."}, library=library)
    parts = with_all(given, small=small)
    events = await play_through(build_chat(parts), "What does a ticket cost?")
    [result] = [message.text for message in calls[-1].messages if message.type == "tool"]
    assert "A ticket costs 12 euros." in result
    assert ("Number 29" in result) is not small
    assert ("Nothing of that." in result) is not small
    assert len(only(events, MessageCompleted)[-1].citations[0].text) > 500, "the whole passage is kept"


async def test_where_another_tool_gave_something_passages_are_not_looked_at_once_more() -> None:
    turns = [
        ToolCall("search_documents", {"query": "ticket price"}),
        calculation("20 * 12"),
        "20 tickets cost 240 euros.",
    ]
    looks: list[Call] = []

    def reply(call: Call) -> Any:
        if not is_look(call):
            return turns.pop(0)
        looks.append(call)
        return "no"

    parts, _ = stage()
    parts = with_all(parts, chat=scripted(reply).chat, small=True)
    events = await play_through(build_chat(parts), "What do tickets cost?")
    assert only(events, MessageCompleted)[-1].text == "20 tickets cost 240 euros."
    assert len(looks) == 1, "before the other tool was called"


async def test_a_model_without_tools_that_calls_one_is_told_so() -> None:
    parts, _ = stage()
    calls = [ToolCall("pay", {"to": "bob"}), "I cannot pay."]
    model = scripted(lambda call: calls.pop(0))
    agents = type(parts.agents)(model, model, parts.agents.prompts, parts.agents.settings, ())
    events = await play_through(build_chat(GraphParts(agents)), "Pay Bob.")
    assert "not a valid tool" in only(events, ToolCompleted)[0].content
    assert only(events, MessageCompleted)[0].text == "I cannot pay."


async def test_tools_end_when_they_are_used_up_or_repeat_themselves() -> None:
    again = ToolCall("calculator", {"expression": "1 + 1"})
    parts, _ = stage()
    model = scripted(lambda call: again if call.tools else "Two.")
    agents = type(parts.agents)(model, model, parts.agents.prompts, parts.agents.settings, parts.agents.tools)
    events = await play_through(build_chat(GraphParts(agents)), "1 + 1?")
    assert len(only(events, ToolStarted)) == 2  # the second call repeats the first
    assert only(events, MessageCompleted)[0].text == "Two."


async def test_it_shares_the_ensembles_memory() -> None:
    memories = Memories(InMemoryStore())
    parts, _ = stage(
        {"tool": "Nice.", "UserFacts": {"facts": [{"text": "The user lives in Lyon.", "kind": "identity"}]}},
        memories=memories,
    )
    await play_through(build_chat(parts), "I live in Lyon.")
    parts, calls = stage({"tool": "In Lyon."}, memories=memories)
    await play_through(build_chat(parts), "Where do I live?")
    assert "The user lives in Lyon." in calls[-1].user_text
    assert all("Lyon" not in call.system_text for call in calls)


async def test_a_thread_remembers_its_turns() -> None:
    parts, calls = stage({"tool": "Yes."})
    await play_through(build_chat(parts), "one", "two")
    assert [m.text for m in calls[-1].messages][1:] == ["one", "Yes.", "two"]


async def test_a_turn_ends_without_a_step_to_remember_where_there_is_nothing() -> None:
    parts, _ = stage({"tool": "Nice.", "UserFacts": {"facts": []}}, memories=Memories(InMemoryStore()))
    graph = build_chat(parts)

    async def nodes(said: str) -> list[str]:
        steps = graph.astream({"messages": [("user", said)]}, stream_mode="updates")
        return [node async for step in steps for node in step]

    assert await nodes("How high is Mount Fuji?") == ["recall", "agent"]
    assert await nodes("I live in Lyon.") == ["recall", "agent", "remember"]
    assert await nodes("我住在里昂。") == ["recall", "agent", "remember"]
    assert await nodes("word " * 20_000) == ["recall", "agent", "remember"]  # too long to be shown again
