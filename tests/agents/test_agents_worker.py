from stage import calculation, stage

from motet.agents.base import Assignment, Finding, build_agents
from motet.models.scripted import ToolCall

GIVEN = Assignment(
    step_id=2, task="Add.", question="q", language="en", findings=[Finding(1, "Find a.", "a is 1")]
)


async def test_it_brings_back_every_tools_result_and_its_own_words() -> None:
    parts, calls = stage({"tool": calculation("1 + 2"), "answer": "The sum is 3."})
    outcome = await build_agents(parts.agents)["worker"].do(GIVEN)
    assert outcome.ok
    assert "1 + 2" in outcome.text
    assert outcome.text.endswith("The sum is 3.")
    assert "a is 1" in calls[0].user_text


async def test_tools_that_all_failed_are_a_failed_step() -> None:
    parts, _ = stage({"tool": calculation("1 / 0"), "answer": "I cannot."})
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


LOOKED_UP = Assignment(
    step_id=3,
    task="Calculate the price.",
    question="What do 24 adults pay?",
    language="en",
    findings=[
        Finding(1, "Find the fare.", "An adult pays 64."),
        Finding(2, "Find the discount.", "15 % off"),
    ],
)


async def test_a_calculation_names_its_figures_first() -> None:
    parts, calls = stage({"tool": calculation("24 * 64 * (1 - 15%)"), "answer": "They pay 1305.6."})
    outcome = await build_agents(parts.agents)["worker"].do(LOOKED_UP)
    assert outcome.ok
    assert "24 * 64 * (1 - 15%) = 1305.6" in outcome.text
    [calculator] = [tool["function"] for tool in calls[0].tools if tool["function"]["name"] == "calculator"]
    assert list(calculator["parameters"]["properties"]) == ["figures", "expression"]


async def test_a_calculation_with_figures_that_nobody_gave_is_refused_and_names_them() -> None:
    parts, calls = stage({"tool": calculation("(1200 - 300) * 15%"), "answer": "I do not know."})
    outcome = await build_agents(parts.agents)["worker"].do(LOOKED_UP)
    assert not outcome.ok
    assert "300, 1200 stands neither in the question nor in what is known" in str(calls[1].tool_result)


async def test_where_nothing_was_looked_up_any_figure_may_be_used() -> None:
    parts, _ = stage({"tool": ToolCall("calculator", {"expression": "1200 * 3"}), "answer": "3600"})
    alone = Assignment(step_id=1, task="Calculate.", question="What is that?", language="en")
    outcome = await build_agents(parts.agents)["worker"].do(alone)
    assert "1200 * 3 = 3600" in outcome.text


async def test_the_example_is_no_result_of_the_step() -> None:
    parts, _ = stage({"tool": calculation("24 * 64"), "answer": "1536"})
    outcome = await build_agents(parts.agents)["worker"].do(LOOKED_UP)
    assert "220" not in outcome.text
