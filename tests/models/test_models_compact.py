"""A prompt that was too long loses its older half; what was asked stays."""

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from motet.models.compact import MAX_RESULT_CHARS, compacted


def turns(count: int) -> list[BaseMessage]:
    return [m for n in range(count) for m in (HumanMessage(f"q{n}"), AIMessage(f"a{n}"))]


def test_the_older_half_goes() -> None:
    shorter = compacted([SystemMessage("rules"), *turns(4), HumanMessage("now")])
    assert shorter is not None
    assert [m.text for m in shorter] == ["rules", "q2", "a2", "q3", "a3", "now"]


def test_a_long_result_of_the_last_turn_loses_its_middle() -> None:
    asked = [
        HumanMessage("read it"),
        AIMessage("", tool_calls=[{"name": "read", "args": {}, "id": "1"}]),
        ToolMessage("start" + "x" * 9000 + "end", tool_call_id="1"),
    ]
    shorter = compacted(asked)
    assert shorter is not None
    text = shorter[-1].text
    assert text.startswith("start")
    assert text.endswith("end")
    assert len(text) < MAX_RESULT_CHARS + 10
    assert len(asked[-1].text) > 9000


def test_what_cannot_be_shortened_is_not() -> None:
    assert compacted([SystemMessage("rules"), HumanMessage("word " * 9000)]) is None
    assert compacted([]) is None
