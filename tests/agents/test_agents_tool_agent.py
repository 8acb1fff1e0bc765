from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from stage import stage

from motet.agents.tool_agent import build_tool_agent, must_answer, results_of_turn
from motet.models.scripted import ToolCall, scripted


def call(**args: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "f", "args": args, "id": "1"}])


RESULT = ToolMessage("r", tool_call_id="1")


def test_the_tools_are_used_up_after_so_many_rounds_of_this_turn() -> None:
    turn = [HumanMessage("q"), call(x="1"), RESULT, call(x="2"), RESULT]
    assert not must_answer(turn, 3)
    assert must_answer(turn, 2)
    assert not must_answer([*turn, AIMessage("a"), HumanMessage("q2")], 2)


def test_a_call_that_repeats_an_earlier_one_is_the_last() -> None:
    assert must_answer([HumanMessage("q"), call(x="1"), RESULT, call(x="1"), RESULT], 9)


def test_results_are_those_of_the_newest_turn() -> None:
    assert results_of_turn([HumanMessage("q"), call(x="1"), RESULT, HumanMessage("q2")]) == []
    assert results_of_turn([HumanMessage("q"), call(x="1"), RESULT]) == [RESULT]


async def test_it_loops_until_the_model_answers() -> None:
    parts, _ = stage()
    model = scripted([ToolCall("calculator", {"expression": "6 * 7"}), "It is 42."])
    agent = build_tool_agent(model, parts.agents.tools, "Do it.", max_turns=3)
    messages = (await agent.ainvoke({"messages": [HumanMessage("6 times 7?")]}))["messages"]
    assert [m.type for m in messages] == ["human", "ai", "tool", "ai"]
    assert messages[-1].text == "It is 42."


async def test_without_tools_it_just_answers() -> None:
    agent = build_tool_agent(scripted(["Hi."]), [], "Be brief.", max_turns=3)
    assert (await agent.ainvoke({"messages": [HumanMessage("hello")]}))["messages"][-1].text == "Hi."
