from typing import get_type_hints

from langchain_core.messages import HumanMessage

from motet.graphs.state import RECENT_MESSAGES, Conversation, memory_ids, merge_results


def test_a_conversation_stays_bounded_however_long_it_gets() -> None:
    [reduce] = get_type_hints(Conversation, include_extras=True)["messages"].__metadata__
    messages: list[HumanMessage] = []
    for i in range(500):
        messages = reduce(messages, [HumanMessage(str(i))])
    assert len(messages) == RECENT_MESSAGES
    assert messages[-1].text == "499"


def test_results_of_steps_side_by_side_are_merged() -> None:
    assert merge_results({"1": "a"}, {"2": "b"}) == {"1": "a", "2": "b"}


def test_a_run_of_the_first_release_goes_on_with_what_it_recalled() -> None:
    whole = {"memory_id": "m1", "text": "The user is Ada.", "thread_id": "t", "created_at": 1.0}
    assert memory_ids([whole, "m2"]) == ["m1", "m2"]
