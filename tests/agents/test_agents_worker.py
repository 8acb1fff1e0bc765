from stage import stage

from motet.agents.base import Assignment, Finding, build_agents
from motet.models.scripted import ToolCall

GIVEN = Assignment(
    step_id=2, task="Add.", question="q", language="en", findings=[Finding(1, "Find a.", "a is 1")]
)


async def test_it_brings_back_every_tools_result_and_its_own_words() -> None:
    parts, calls = stage({"tool": ToolCall("calculator", {"expression": "1 + 2"}), "answer": "The sum is 3."})
    outcome = await build_agents(parts.agents)["worker"].do(GIVEN)
    assert outcome.ok
    assert "1 + 2" in outcome.text
    assert outcome.text.endswith("The sum is 3.")
    assert "a is 1" in calls[0].user_text


async def test_tools_that_all_failed_are_a_failed_step() -> None:
    parts, _ = stage({"tool": ToolCall("calculator", {"expression": "1 / 0"}), "answer": "I cannot."})
    outcome = await build_agents(parts.agents)["worker"].do(GIVEN)
    assert not outcome.ok
    assert outcome.text == "I cannot."


async def test_a_model_that_cannot_be_understood_is_a_failed_step_and_no_error() -> None:
    from motet.errors import ModelOutputInvalid

    parts, _ = stage({"tool": ModelOutputInvalid("not JSON")})
    outcome = await build_agents(parts.agents)["worker"].do(GIVEN)
    assert (outcome.ok, outcome.text) == (False, "not JSON")


async def test_without_tools_there_is_no_worker() -> None:
    parts, _ = stage(tools=["search_documents"])
    assert list(build_agents(parts.agents)) == ["retriever"]
