"""A thread's state stays bounded and whole: no tool's result without its call, however long the talk."""

from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from typing_extensions import TypedDict

from motet.memory.window import dialogue, is_pinned, last_user_text, recent, visible
from motet.storage.search import text_width

quick = settings(deadline=None, max_examples=100)


def called(*call_ids: str, text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=[{"name": "look", "args": {}, "id": call_id} for call_id in call_ids])


def told(call_id: str, text: str = "found") -> ToolMessage:
    return ToolMessage(text, tool_call_id=call_id)


words = st.text(alphabet="ab 海上", max_size=12)


@st.composite
def turns(draw: st.DrawFn, *, begins: bool = True) -> list[AnyMessage]:
    """What the user said, rounds of tool calls with their results, and an answer."""
    ids = count(draw(st.integers(0, 10**9)) * 1000)
    turn: list[AnyMessage] = [HumanMessage(draw(words))] if begins else []
    for _ in range(draw(st.integers(0, 3))):
        calls = [f"c{next(ids)}" for _ in range(draw(st.integers(1, 3)))]
        turn.append(called(*calls, text=draw(words)))
        turn.extend(told(call, draw(words)) for call in calls)
    if draw(st.booleans()):
        turn.append(AIMessage(draw(words)))
    return turn


def talks(*, begins: bool = True) -> st.SearchStrategy[list[list[AnyMessage]]]:
    return st.lists(turns(begins=begins), max_size=8)


def flat(talk: list[list[AnyMessage]]) -> list[AnyMessage]:
    return [message for turn in talk for message in turn]


def orphans(messages: list[Any]) -> list[str]:
    """Results whose call is not before them."""
    known: set[str] = set()
    lost: list[str] = []
    for message in messages:
        if isinstance(message, AIMessage):
            known |= {str(call["id"]) for call in message.tool_calls}
        elif isinstance(message, ToolMessage) and message.tool_call_id not in known:
            lost.append(message.tool_call_id)
    return lost


# The state


@quick
@given(talk=talks(), limit=st.integers(1, 12), pieces=st.integers(1, 4))
def test_the_state_keeps_whole_turns_and_at_most_the_limit(
    talk: list[list[AnyMessage]], limit: int, pieces: int
) -> None:
    reduce = recent(limit)
    state: list[AnyMessage] = []
    everything = flat(talk)
    for at in range(0, len(everything), pieces):
        state = reduce(state, everything[at : at + pieces])
        assert orphans(state) == []
    if everything:
        assert state == everything[-len(state) :]  # the newest, in order
        assert len(state) <= max(limit, *(len(turn) for turn in talk))
        assert isinstance(state[0], HumanMessage)


@quick
@given(talk=talks(begins=False), limit=st.integers(1, 12))
def test_without_a_users_message_no_result_loses_its_call_either(
    talk: list[list[AnyMessage]], limit: int
) -> None:
    everything = flat(talk)
    state = recent(limit)([], everything)
    assert orphans(state) == []
    assert state == everything[len(everything) - len(state) :]
    assert len(state) <= limit + 3  # a call of three results is not cut


def test_what_fits_is_left_alone() -> None:
    reduce = recent(3)
    two: list[AnyMessage] = [HumanMessage("a"), AIMessage("b")]
    assert reduce(two, []) == two
    assert reduce([], []) == []
    assert [m.text for m in reduce(two, [HumanMessage("c")])] == ["a", "b", "c"]
    assert [m.text for m in reduce(two, [HumanMessage("c"), AIMessage("d")])] == ["c", "d"]


def test_a_turn_longer_than_the_limit_is_kept_whole() -> None:
    turn: list[AnyMessage] = [
        HumanMessage("a"),
        called("1"),
        told("1"),
        called("2"),
        told("2"),
        AIMessage("b"),
    ]
    assert recent(2)([HumanMessage("old"), AIMessage("older")], turn) == turn


def test_a_pinned_message_stays_and_one_that_has_left_comes_back_before_all_others() -> None:
    reduce = recent(3)
    pin = {"pinned": True}
    state = reduce([], [HumanMessage("a", id="1", additional_kwargs=pin), AIMessage("b", id="2")])
    state = reduce(state, [HumanMessage(text, id=text) for text in "cdef"])
    assert [m.text for m in state] == ["a", "d", "e", "f"]
    state = reduce(state, [HumanMessage("c", id="c", additional_kwargs={"pinned": "earlier"})])
    assert [m.text for m in state][-3:] == ["d", "e", "f"]
    assert [m.text for m in reduce(state, [HumanMessage("g", id="g")])] == ["c", "a", "e", "f", "g"]
    assert is_pinned(state[0])


def test_it_replaces_and_removes_as_langgraphs_own_reducer_does() -> None:
    reduce = recent(10)
    state = reduce([], [HumanMessage("a", id="1"), AIMessage("b", id="2")])
    assert [m.text for m in reduce(state, [AIMessage("c", id="2")])] == ["a", "c"]
    assert [m.text for m in reduce(state, [RemoveMessage("1")])] == ["b"]  # pyright: ignore[reportArgumentType]
    assert reduce(state, [RemoveMessage(REMOVE_ALL_MESSAGES)]) == []  # pyright: ignore[reportArgumentType]
    assert all(m.id for m in reduce([], [HumanMessage("no id")]))


def test_one_limit_is_one_reducer_however_many_others_there_are() -> None:
    mine = recent(7)
    assert all(recent(limit) is not mine for limit in range(8, 100))
    assert recent(7) is mine


async def test_a_thousand_turns_leave_a_small_state_in_a_real_graph() -> None:
    class State(TypedDict):
        messages: Annotated[list[AnyMessage], recent(10)]

    async def answer(state: State) -> dict[str, Any]:
        call = f"c{last_user_text(state['messages'])}"
        return {"messages": [called(call), told(call), AIMessage(f"re {last_user_text(state['messages'])}")]}

    builder = StateGraph(State)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    graph = builder.compile()
    state: Any = {"messages": []}
    for turn in range(1000):
        state = await graph.ainvoke({"messages": [*state["messages"], HumanMessage(str(turn))]})
        assert len(state["messages"]) <= 10
    assert orphans(state["messages"]) == []
    assert [m.text for m in state["messages"] if isinstance(m, HumanMessage)] == ["998", "999"]


# What a model sees


@quick
@given(talk=talks(), max_width=st.integers(0, 60))
def test_a_model_sees_the_newest_that_fits_and_no_result_without_its_call(
    talk: list[list[AnyMessage]], max_width: int
) -> None:
    messages = flat(talk)
    seen = visible(messages, max_width=max_width)
    assert orphans(seen) == []
    if not messages:
        assert seen == []
        return
    newest = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
    if len(seen) > 1 and seen[0] is messages[newest]:
        seen = seen[1:]  # the question of a turn under way, where something is left out after it
    assert all(a is b for a, b in zip(seen, messages[-len(seen) :], strict=True))


@quick
@given(talk=talks(), max_width=st.integers(0, 60))
def test_a_model_sees_no_more_than_fits_but_for_the_turn_under_way(
    talk: list[list[AnyMessage]], max_width: int
) -> None:
    messages = flat(talk)
    seen = visible(messages, max_width=max_width)
    if len(seen) > 1 and not isinstance(seen[-1], ToolMessage):
        assert sum(text_width(m.text) for m in seen) <= max_width
    left_out = len(messages) - len(seen)
    if (
        left_out
        and not isinstance(messages[left_out], ToolMessage)
        and not isinstance(messages[-1], ToolMessage)
    ):
        before = messages[left_out - 1]
        fits = sum(text_width(m.text) for m in [before, *seen]) <= max_width
        assert not fits or isinstance(before, ToolMessage)  # and as much as fits


def test_the_last_message_is_there_however_long() -> None:
    messages: list[BaseMessage] = [HumanMessage("first"), AIMessage("x" * 1000)]
    assert visible(messages, max_width=10) == messages[1:]
    assert visible(messages, max_width=0) == messages[1:]
    assert visible([], max_width=10) == []


def test_the_limit_is_in_columns_and_chinese_takes_two() -> None:
    messages: list[BaseMessage] = [HumanMessage("海上"), AIMessage("灯塔"), HumanMessage("ab")]
    assert len(visible(messages, max_width=10)) == 3
    assert len(visible(messages, max_width=9)) == 2
    assert len(visible(messages, max_width=6)) == 2
    assert len(visible(messages, max_width=5)) == 1


def test_results_whose_call_does_not_fit_go_with_it() -> None:
    messages = [HumanMessage("a"), called("1", "2"), told("1", "x" * 50), told("2"), AIMessage("answer")]
    assert [m.text for m in visible(messages, max_width=20)] == ["answer"]


@pytest.mark.parametrize("width", [0, 10, 100])
def test_a_turn_under_way_keeps_its_question_and_its_newest_call_whole(width: int) -> None:
    turn: list[BaseMessage] = [
        HumanMessage("what is it?"),
        called("1"),
        told("1", "x" * 90),
        called("2", "3"),
        told("2", "y" * 90),
        told("3", "z" * 90),
    ]
    seen = visible([SystemMessage("s"), AIMessage("hello"), *turn], max_width=width)
    assert seen == [turn[0], *turn[3:]]


# The dialogue as text


def test_the_newest_users_text_is_found() -> None:
    assert last_user_text([]) == ""
    assert last_user_text([AIMessage("b")]) == ""
    assert last_user_text([HumanMessage("a"), AIMessage("b"), HumanMessage("c"), AIMessage("d")]) == "c"
    assert last_user_text([HumanMessage([{"type": "text", "text": "blocks"}])]) == "blocks"


def test_the_dialogue_is_what_came_before_the_newest_question() -> None:
    talk = [
        SystemMessage("rules"),
        HumanMessage(" Who are you? "),
        called("1"),
        told("1", "a secret result"),
        AIMessage("A motet.\n"),
        HumanMessage("Sing."),
        AIMessage("half an ans"),
    ]
    assert dialogue(talk, max_width=100) == "user: Who are you?\nassistant: A motet."
    assert dialogue(talk[:2], max_width=100) == ""
    assert dialogue([], max_width=100) == ""
    assert dialogue([AIMessage("hello")], max_width=100) == ""


def test_a_long_dialogue_loses_its_beginning() -> None:
    talk = [
        HumanMessage("一" * 50),
        AIMessage("二" * 50),
        HumanMessage("三" * 5),
        AIMessage("四" * 5),
        HumanMessage("?"),
    ]
    assert dialogue(talk, max_width=40) == "user: 三三三三三\nassistant: 四四四四四"


@quick
@given(talk=talks(), max_width=st.integers(0, 60))
def test_a_dialogue_holds_no_more_than_fits_and_its_last_line(
    talk: list[list[AnyMessage]], max_width: int
) -> None:
    messages = flat(talk)
    lines = dialogue(messages, max_width=max_width).split("\n")
    kept = sum(text_width(line.partition(":")[2].strip()) for line in lines)
    assert kept <= max_width or len(lines) == 1
    assert all(line.startswith(("user:", "assistant:")) for line in lines if line)
