"""A task file's budget and permissions as options of its runs. The one place that knows both spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motet.tasks.spec import Task


def limits(task: Task) -> dict[str, Any]:
    """Return the fields of `RunOptions` that a task file sets."""
    from motet.runs.budget import Budget

    found: dict[str, Any] = {}
    if task.budget is not None:
        found["budget"] = Budget(
            max_tokens=task.budget.tokens,
            max_cost_usd=task.budget.cost_usd,
            max_time_s=task.budget.wall,
            max_model_calls=task.budget.model_calls,
            max_tool_calls=task.budget.tool_calls,
            at_limit="fail",
        )
    return found
