from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from stage import stage, with_fast

from motet.agents.base import Finding, build_agents
from motet.agents.planner import make_plan, mend_plan
from motet.errors import ModelOutputInvalid
from motet.settings import AgentSettings


async def plan_of(steps: list[dict[str, Any]], **more: Any) -> list[tuple[int, str, list[int]]]:
    parts, _ = stage({"Plan": {"steps": steps}}, **more)
    made = await make_plan(parts.agents, build_agents(parts.agents), [HumanMessage("q")], "en")
    return [(s.step_id, s.task, s.depends_on) for s in made]


def step(task: str, *needs: int, agent: str = "retriever") -> dict[str, Any]:
    return {"agent": agent, "task": task, "depends_on": list(needs)}


async def test_steps_are_numbered_and_keep_earlier_dependencies_only() -> None:
    assert await plan_of([step("one"), step("two", 1, 2, 3, 0), step("three", 2, 1)]) == [
        (1, "one", []),
        (2, "two", [1]),
        (3, "three", [1, 2]),
    ]


async def test_a_repeated_step_is_dropped_and_what_needs_it_needs_the_first() -> None:
    assert await plan_of([step("one"), step("one"), step("two", 2)]) == [(1, "one", []), (2, "two", [1])]


@pytest.mark.parametrize(
    ("steps", "small", "made"),
    [
        ([step("find"), step("sum", agent="worker")], True, [(1, "find", []), (2, "sum", [1])]),
        ([step("find"), step("sum", agent="worker")], False, [(1, "find", []), (2, "sum", [])]),
        ([step("sum", agent="worker"), step("find")], True, [(1, "find", []), (2, "sum", [1])]),
        (
            [step("sum", 2, agent="worker"), step("find"), step("see", 1)],
            True,
            [(1, "find", []), (2, "sum", [1]), (3, "see", [2])],
        ),
        ([step("sum", agent="worker")], True, [(1, "sum", [])]),
    ],
)
async def test_what_a_small_model_has_worked_out_waits_for_what_is_looked_up(
    steps: list[dict[str, Any]], *, small: bool, made: list[tuple[int, str, list[int]]]
) -> None:
    parts, _ = stage({"Plan": {"steps": steps}})
    agents = with_fast(parts, small=small)
    planned = await make_plan(agents, build_agents(agents), [HumanMessage("q")], "en")
    assert [(s.step_id, s.task, s.depends_on) for s in planned] == made


@pytest.mark.parametrize(
    ("question", "small", "count"),
    [
        ("How much extra do you pay if you bring your dog?", True, 1),
        ("How much extra do you pay if you bring your dog?", False, 3),
        ("How much do two dogs cost?", True, 3),
        (f"How much do you pay if you bring your {'very ' * 50}old dog?", True, 3),
    ],
)
async def test_a_small_planners_steps_for_one_thing_that_is_asked_are_one_look_up(
    question: str, *, small: bool, count: int
) -> None:
    steps = [step("a dog"), step("what is extra"), step("the sum", 1, 2, agent="worker")]
    parts, _ = stage({"Plan": {"steps": steps}})
    agents = with_fast(parts, small=small)
    planned = await make_plan(agents, build_agents(agents), [HumanMessage(question)], "en")
    assert len(planned) == count
    assert planned[0].task == (question if count == 1 else "a dog")


async def test_a_small_plan_without_a_look_up_stays_for_one_thing_too() -> None:
    parts, _ = stage({"Plan": {"steps": [step("Look at the clock.", agent="worker")]}})
    agents = with_fast(parts, small=True)
    [only] = await make_plan(agents, build_agents(agents), [HumanMessage("What time is it?")], "en")
    assert (only.agent, only.task) == ("worker", "Look at the clock.")


async def test_the_schema_names_the_agents_that_are_there_and_the_most_steps() -> None:
    parts, calls = stage(settings=AgentSettings(max_plan_steps=3))
    await make_plan(parts.agents, build_agents(parts.agents), [HumanMessage("q")], "en")
    schema = str(calls[0].schema)
    assert "'retriever'" in schema
    assert "'worker'" in schema
    assert "'maxItems': 3" in schema


async def test_further_steps_go_on_counting_and_may_build_on_those_done() -> None:
    parts, calls = stage({"Plan": {"steps": [step("more"), step("sum", 1, 2, agent="worker")]}})
    done = [Finding(1, "one", "12 euros"), Finding(2, "two", "nothing")]
    made = await mend_plan(
        parts.agents, build_agents(parts.agents), question="q", done=done, missing="x", language="en"
    )
    assert [(s.step_id, s.depends_on) for s in made] == [(3, []), (4, [2, 3])]
    assert "12 euros" in calls[0].user_text


async def test_further_steps_of_a_small_model_stay_in_their_order() -> None:
    parts, _ = stage({"Plan": {"steps": [step("sum", 1, agent="worker"), step("more")]}})
    agents = with_fast(parts, small=True)
    done = [Finding(1, "one", "12 euros"), Finding(2, "two", "nothing")]
    made = await mend_plan(agents, build_agents(agents), question="q", done=done, missing="x", language="en")
    assert [(s.step_id, s.task, s.depends_on) for s in made] == [(3, "sum", [1]), (4, "more", [])]


async def test_a_plan_that_stays_broken_is_a_typed_failure() -> None:
    parts, calls = stage({"Plan": lambda call: "I would rather not"})
    with pytest.raises(ModelOutputInvalid):
        await make_plan(parts.agents, build_agents(parts.agents), [HumanMessage("q")], "en")
    assert len(calls) == 3  # asked once, repaired twice


async def test_a_step_that_builds_on_one_look_up_builds_on_all_before_it() -> None:
    steps = [step("price"), step("discount"), step("sum", 1, agent="worker"), step("later")]
    assert await plan_of(steps) == [
        (1, "price", []),
        (2, "discount", []),
        (3, "sum", [1, 2]),
        (4, "later", []),
    ]


async def test_a_step_that_builds_on_none_waits_for_none() -> None:
    assert await plan_of([step("price"), step("sum", agent="worker")]) == [(1, "price", []), (2, "sum", [])]


async def test_a_look_up_alone_looks_up_what_was_asked_in_its_own_words() -> None:
    assert await plan_of([step("look for something like it")]) == [(1, "q", [])]
    assert await plan_of([step("calculate", agent="worker")]) == [(1, "calculate", [])]
    parts, _ = stage({"Plan": {"steps": [step("find the price")]}})
    long = [HumanMessage("Tell me about the price. " * 20)]
    (made,) = await make_plan(parts.agents, build_agents(parts.agents), long, "en")
    assert made.task == "find the price"


async def test_a_plan_that_forgets_named_documents_looks_them_up_first() -> None:
    forgets = [step("calculate", agent="worker"), step("write", 1, agent="worker")]
    assert await plan_of(forgets, documents_named=True) == [
        (1, "q", []),
        (2, "calculate", [1]),
        (3, "write", [1, 2]),
    ]
    assert await plan_of(forgets) == [(1, "calculate", []), (2, "write", [1])]
    both = [step("look"), step("calculate", 1, agent="worker")]
    assert await plan_of(both, documents_named=True) == [(1, "look", []), (2, "calculate", [1])]
