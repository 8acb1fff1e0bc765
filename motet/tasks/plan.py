"""What a run of a task file would do: its steps in order, their prompts as far as they are known, a guess of the cost.

What does not live here: doing it. What only a step's output can tell stands as `‹steps.ID.output›`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.tasks import order
from motet.tasks.actions import model_of
from motet.tasks.expressions import fill, text_of
from motet.tasks.prices import cost_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.models.prices import Prices
    from motet.tasks.expressions import Expression
    from motet.tasks.load import TaskFile
    from motet.tasks.spec import Step

_SHOWN = ("prompt", "with_", "set", "run", "approve", "save")


def plan(
    file: TaskFile, inputs: Mapping[str, Any], *, default_model: str, max_tokens: int, prices: Prices
) -> dict[str, Any]:
    """Return `{"steps", "estimate"}` as plain JSON.

    The guess counts what is known of each prompt and the longest answer, `max_tokens`; a list that is not known yet
    counts as three items, and tools' results not at all.
    """
    waits = order.needs(file.task.steps)
    by_id = {step.id: step for step in file.task.steps}
    scope = {"inputs": inputs}
    steps: list[dict[str, Any]] = []
    calls, tokens = 0, dict[str, tuple[int, int]]()
    for name in order.sorted_steps(waits):
        step = by_id[name]
        shown = _step(step, waits[name], scope)
        if step.action in ("agent", "graph"):
            times = _times(step, scope)
            shown["model"] = model_of(file, step, {"model": step.model}) or default_model
            asked, told = tokens.get(shown["model"], (0, 0))
            calls += times
            asked += times * count_tokens(
                json.dumps(shown["filled"], ensure_ascii=False) + _system(file, step)
            )
            tokens[shown["model"]] = asked, told + times * max_tokens
        steps.append(shown)
    read, written = (sum(each[n] for each in tokens.values()) for n in (0, 1))
    estimate = {
        "model_calls": calls,
        "input_tokens": read,
        "output_tokens": written,
        "tokens": read + written,
    }
    return {"steps": steps, "estimate": estimate | cost_of(prices, tokens)}


def _step(step: Step, needs: list[str], scope: Mapping[str, Any]) -> dict[str, Any]:
    filled = {
        name.rstrip("_"): fill(getattr(step, name), scope, unknown=_unknown)
        for name in _SHOWN
        if getattr(step, name) is not None
    }
    shown: dict[str, Any] = {"id": step.id, "action": _action(step), "needs": needs, "filled": filled}
    if step.if_ is not None:
        shown["if"] = step.if_
    if step.foreach is not None:
        shown["foreach"] = fill(step.foreach, scope, unknown=_unknown)
    return shown


def _unknown(expression: Expression) -> str:
    return f"‹{expression.source}›"


def _action(step: Step) -> str:
    value = getattr(step, step.action)
    return f"{step.action} {value}" if step.action in ("agent", "tool", "graph", "task") else step.action


def _system(file: TaskFile, step: Step) -> str:
    agent = file.task.agents.get(step.agent or "")
    return agent.system if agent else ""


def _times(step: Step, scope: Mapping[str, Any]) -> int:
    if step.loop is not None:
        return step.loop.max_iterations
    items = fill(step.foreach, scope, unknown=_unknown) if step.foreach is not None else [None]
    return len(items) if isinstance(items, list) else 3


def count_tokens(text: str) -> int:
    """Guess how many tokens a text has: a fourth of its letters, and one for each Chinese character."""
    wide = sum(ord(letter) > 0x2E7F for letter in text)
    return wide + (len(text_of(text)) - wide) // 4
