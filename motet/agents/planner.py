"""The planner: breaks a question into steps that agents can do, and mends a plan that fell short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field, create_model

from motet.agents.base import LONG_QUESTION
from motet.agents.one_thing import asks_one_thing
from motet.events import PlanStep
from motet.memory.window import dialogue, last_user_text
from motet.models.structured import ask_json
from motet.storage.search import text_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from motet.agents.base import Agent, AgentParts, Finding
    from motet.agents.prompts import Language

LOOK_UP = "retriever"
"""The agent whose results a calculation builds on."""

HISTORY_WIDTH = 1600
"""Columns of earlier conversation that the planner sees."""


async def make_plan(
    parts: AgentParts, agents: Mapping[str, Agent], messages: Sequence[BaseMessage], language: Language
) -> list[PlanStep]:
    """Plan the newest user's message: 1 to `max_plan_steps` steps, each depending on earlier ones only.

    Where documents were named to search, a plan that forgets them gets a look-up before all its steps. One that only
    looks something up looks up what was asked, in the words that it was asked in: a small model's own lose something.
    So does a small planner's with more steps, where one thing is asked: the others are made up.

    Raises:
        ModelError: The model cannot be reached, or does not answer in the asked shape.
    """
    before = dialogue(messages, max_width=HISTORY_WIDTH)
    asked = last_user_text(messages)
    text = f"{before}\nuser: {asked}" if before else asked
    steps = await _ask(parts, agents, text, language, first_id=1)
    if parts.documents_named and LOOK_UP in agents and all(step.agent != LOOK_UP for step in steps):
        return _after_look_up(steps, asked) if asked.strip() else steps
    if 0 < text_width(asked.strip()) <= LONG_QUESTION and _only_looks_up(parts, steps, asked):
        return [_look_up(asked)]
    return steps


async def mend_plan(
    parts: AgentParts,
    agents: Mapping[str, Agent],
    *,
    question: str,
    done: Sequence[Finding],
    missing: str,
    language: Language,
) -> list[PlanStep]:
    """Plan further steps after a review found something missing; their numbers go on after those done.

    Raises:
        ModelError: The model cannot be reached, or does not answer in the asked shape.
    """
    lines = "\n".join(f"{f.step_id}. {f.task} -> {f.text[:300]}" for f in done)
    most = str(parts.settings.max_plan_steps)
    note = parts.prompts.text("replan", language, done=lines, missing=missing, max_steps=most)
    last_id = max((finding.step_id for finding in done), default=0)
    return await _ask(parts, agents, f"{question}\n\n{note}", language, first_id=last_id + 1)


async def _ask(
    parts: AgentParts, agents: Mapping[str, Agent], text: str, language: Language, *, first_id: int
) -> list[PlanStep]:
    most = parts.settings.max_plan_steps
    prompt = parts.prompts.text(
        "plan",
        language,
        agents="\n".join(f"- {name}: {agent.describe(language)}" for name, agent in agents.items()),
        max_steps=str(most),
    )
    shape = _plan_shape(tuple(agents), most)
    model = parts.model_of("planner")
    plan = await ask_json(model, [SystemMessage(prompt), HumanMessage(text)], shape)
    return _steps(plan.model_dump()["steps"], first_id, small=model.capabilities.small)


def _plan_shape(agents: tuple[str, ...], most: int) -> type[BaseModel]:
    """Return the plan's model: the agents are an enum, so that a grammar lets no other name through."""
    config = ConfigDict(extra="forbid")
    names: Any = Literal[agents]  # pyright: ignore[reportInvalidTypeForm, reportUnknownVariableType]
    step: Any = create_model(
        "PlannedStep",
        __config__=config,
        agent=(names, ...),
        task=(str, Field(min_length=3, max_length=300)),
        depends_on=(list[int], Field(max_length=most)),
    )
    steps: Any = list[step]
    return create_model("Plan", __config__=config, steps=(steps, Field(min_length=1, max_length=most)))


def _steps(raw: Sequence[dict[str, Any]], first_id: int, *, small: bool) -> list[PlanStep]:
    """Number the steps, drop those that repeat another, and keep only dependencies on earlier steps.

    A model counts its steps from 1, also when it adds to a plan; numbers that it cannot mean are dropped.
    """
    steps: list[PlanStep] = []
    new_ids: dict[int, int] = {}
    for position, item in enumerate(_look_ups_first(raw) if small and first_id == 1 else raw, start=1):
        same = next((s for s in steps if (s.agent, s.task) == (item["agent"], item["task"])), None)
        if same is not None:
            new_ids[position] = same.step_id
            continue
        step_id = first_id + len(steps)
        new_ids[position] = step_id
        needs = {_dependency(n, position, new_ids, first_id) for n in item["depends_on"]} - {0}
        if (needs or small) and item["agent"] != LOOK_UP:
            # Small models name one look-up where they mean them all, or none, and the worker makes its figures up.
            needs |= {step.step_id for step in steps if step.agent == LOOK_UP}
        steps.append(
            PlanStep(
                step_id=step_id, agent=item["agent"], task=item["task"].strip(), depends_on=sorted(needs)
            )
        )
    return steps


def _only_looks_up(parts: AgentParts, steps: Sequence[PlanStep], asked: str) -> bool:
    named = [step.agent for step in steps]
    small = parts.model_of("planner").capabilities.small
    return named == [LOOK_UP] or (small and LOOK_UP in named and asks_one_thing(asked))


def _look_ups_first(raw: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a plan with the look-ups that depend on nothing before all else."""
    order = sorted(range(len(raw)), key=lambda i: raw[i]["agent"] != LOOK_UP or bool(raw[i]["depends_on"]))
    place = {old + 1: new for new, old in enumerate(order, start=1)}
    return [raw[i] | {"depends_on": [place.get(n, 0) for n in raw[i]["depends_on"]]} for i in order]


def _after_look_up(steps: Sequence[PlanStep], asked: str) -> list[PlanStep]:
    """Return a plan that looks up first what was asked; every other step knows what was found."""
    later = [
        step.model_copy(
            update={
                "step_id": step.step_id + 1,
                "depends_on": [1, *(needed + 1 for needed in step.depends_on)],
            }
        )
        for step in steps
    ]
    return [_look_up(asked), *later]


def _look_up(asked: str) -> PlanStep:
    """Return the first step of a plan: what was asked, looked up in its own words."""
    return PlanStep(step_id=1, agent=LOOK_UP, task=asked.strip(), depends_on=[])


def _dependency(number: int, position: int, new_ids: Mapping[int, int], first_id: int) -> int:
    """Return the step that a model's number means, 0 for none."""
    if 0 < number < position:
        return new_ids[number]
    return number if 0 < number < first_id else 0
