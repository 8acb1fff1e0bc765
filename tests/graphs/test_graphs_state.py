from typing import get_type_hints

from langchain_core.messages import HumanMessage

from motet.graphs.state import RECENT_MESSAGES, Conversation, merge_results


def test_a_conversation_stays_bounded_however_long_it_gets() -> None:
    [reduce] = get_type_hints(Conversation, include_extras=True)["messages"].__metadata__
    messages: list[HumanMessage] = []
    for i in range(500):
        messages = reduce(messages, [HumanMessage(str(i))])
    assert len(messages) == RECENT_MESSAGES
    assert messages[-1].text == "499"


def test_results_of_steps_side_by_side_are_merged() -> None:
    assert merge_results({"1": "a"}, {"2": "b"}) == {"1": "a", "2": "b"}
