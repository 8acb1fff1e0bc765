"""What a person is asked when a limit is reached, and what the answer does.

What does not live here: the check (`meters`). An answer takes effect in the transaction that accepts it, and not when
the graph goes on: work that was stopped in parallel asks one question, and a crash in between changes nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from motet.errors import PermissionRefused
from motet.runs.budgets.limits import DAILY, WORDS
from motet.runs.budgets.meters import allow_more

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from motet.events import InterruptRequested
    from motet.runs.budgets.meters import Crossed
    from motet.runs.request import Caller

PREFIX = "budget-"
"""How the ids of these questions begin: nothing of theirs is handed to the graph."""

STOPPED = "stopped-"
"""How the id of the message begins that tells what there is of a run that was stopped."""

MORE, CHEAPER, STOP = "more", "cheaper", "stop"

ANSWER_SCHEMA: dict[str, Any] = {
    "title": "Budget",
    "anyOf": [
        {"enum": [MORE, CHEAPER, STOP]},
        {
            "type": "object",
            "properties": {
                "choice": {"enum": [MORE, CHEAPER, STOP]},
                "model": {"type": "string", "description": "The model to go on with, for 'cheaper'."},
            },
            "required": ["choice"],
            "additionalProperties": False,
        },
    ],
}
"""JSON Schema of an answer: `"more"`, `"cheaper"`, `"stop"`, or `{"choice": "cheaper", "model": "vllm:small"}`."""


def question_id(run_id: str, crossed: Crossed) -> str:
    """Return the id of the question: the same for all work of a run that one limit stopped."""
    named = f"{run_id} {crossed.scope} {crossed.scope_id} {crossed.name} {crossed.limit}"
    return PREFIX + hashlib.sha256(named.encode()).hexdigest()[:24]


def question(crossed: Crossed, cheaper_model: str) -> dict[str, Any]:
    """Return what the person is asked, as plain JSON."""
    return {
        "kind": "budget",
        "question": f'{told(crossed)} Answer "more" to allow as much again, "cheaper" to do that with '
        f'{cheaper_model}, or "stop" to end with what there is.',
        "scope": crossed.scope,
        "scope_id": crossed.scope_id,
        "limit": crossed.name,
        "allowed": crossed.limit,
        "spent": crossed.spent,
        "choices": [MORE, CHEAPER, STOP],
        "cheaper_model": cheaper_model,
    }


def told(crossed: Crossed) -> str:
    """Return what was reached, in a sentence such as "The budget of this run is spent: 20,120 of 20,000 tokens."."""
    spent, limit = _amount(crossed.name, crossed.spent), _amount(crossed.name, crossed.limit)
    units = {"tokens": "tokens", "cost": "dollars", "time": "seconds", "model_calls": "model calls"}
    unit = units.get(crossed.name, "tool calls")
    return f"The budget of {WORDS[crossed.scope]} is spent: {spent} of {limit} {unit}."


def is_budget(asked: InterruptRequested) -> bool:
    """Say whether a question is about a budget."""
    return asked.interrupt_id.startswith(PREFIX)


def choice_of(answer: Any) -> str:
    """Return which of the choices an answer takes; it fits the schema."""
    return str(answer["choice"] if isinstance(answer, dict) else answer)  # pyright: ignore[reportUnknownArgumentType]


def stops(answers: Mapping[str, Any]) -> bool:
    """Say whether a run's answers end it with what there is."""
    return any(choice_of(answer) == STOP for key, answer in answers.items() if key.startswith(PREFIX))


def apply(
    connection: Connection,
    caller: Caller,
    questions: Mapping[str, InterruptRequested],
    answers: Mapping[str, Any],
) -> dict[str, Any]:
    """Do what the answers about budgets say; return the options that change for the run that goes on.

    Raises:
        PermissionRefused: This caller may not allow more for a user or a tenant.
    """
    changed: dict[str, Any] = {}
    for interrupt_id, answer in answers.items():
        asked = questions[interrupt_id]
        choice = choice_of(answer) if is_budget(asked) else STOP
        if choice == STOP:
            continue
        value: dict[str, Any] = asked.value
        if value["scope"] in DAILY and not caller.scopes & {"*", "admin", "budgets:raise"}:
            raise PermissionRefused(
                f"This caller may not allow more for {WORDS[value['scope']]}: the scope budgets:raise is needed."
            )
        allow_more(connection, caller.tenant_id, value["scope"], value["scope_id"], value["limit"])
        if choice == CHEAPER:
            changed["model"] = (answer.get("model") if isinstance(answer, dict) else None) or value[
                "cheaper_model"
            ]
    return changed


def _amount(name: str, value: float) -> str:
    places = {"cost": 4, "time": 1}.get(name)
    return f"{value:,.{places}f}".rstrip("0").rstrip(".") if places else f"{value:,.0f}"
