"""A task file's budget and permissions as options of its runs. The one place that knows both spellings.

What does not live here: keeping to them (the engine and the tools' ledger).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput
from motet.runs.budget import NAMES, Budget
from motet.runs.request import RunOptions

if TYPE_CHECKING:
    from motet.tasks.load import TaskFile

OWN_PROGRAMS = "run"
"""The tool that the action `run` calls; a file that is trusted may call it without another question."""


def with_limits(options: RunOptions, file: TaskFile, *, trusted: bool, may_allow: bool) -> RunOptions:
    """Return options that hold a file's limits too; of two limits the stricter one counts.

    Args:
        options: The caller's.
        file: Whose budget and permissions.
        trusted: Whether the file may run programs.
        may_allow: Whether the caller may let a run do more than the settings do; else only `deny` and `ask` count.

    Raises:
        InvalidInput: The file has permissions, and nothing in this version keeps to them.
    """
    values: dict[str, Any] = options.model_dump()
    values["budget"] = _stricter(options.budget, _budget(file))
    rules = _rules(file, trusted=trusted, may_allow=may_allow)
    if "permissions" in RunOptions.model_fields:
        values["permissions"] = _joined(values.get("permissions"), rules)
    elif file.task.permissions is not None:
        raise InvalidInput(f"{file.file}: permissions are not kept to in this version; take the key out.")
    return RunOptions.model_validate(values)


def _budget(file: TaskFile) -> Budget | None:
    asked = file.task.budget
    if asked is None:
        return None
    return Budget(
        max_tokens=asked.tokens,
        max_cost_usd=asked.cost_usd,
        max_time_s=asked.wall,
        max_model_calls=asked.model_calls,
        max_tool_calls=asked.tool_calls,
        at_limit=asked.then,
    )


def _stricter(one: Budget | None, other: Budget | None) -> Budget | None:
    if one is None or other is None:
        return one or other
    limits: dict[str, Any] = {}
    for field in NAMES.values():
        given = [value for value in (getattr(one, field), getattr(other, field)) if value is not None]
        limits[field] = min(given, default=None)
    ask = one.at_limit == other.at_limit == "ask"
    return Budget(**limits, at_limit="ask" if ask else "fail")


def _rules(file: TaskFile, *, trusted: bool, may_allow: bool) -> dict[str, list[str]]:
    asked = file.task.permissions
    found = {"deny": list(asked.deny), "ask": list(asked.ask), "allow": list(asked.allow)} if asked else {}
    if not may_allow:
        return {name: rules for name, rules in found.items() if rules and name != "allow"}
    if trusted and not any(rule.partition(":")[0] == OWN_PROGRAMS for rule in found.get("ask", [])):
        found["allow"] = [*found.get("allow", []), OWN_PROGRAMS]
        found["allow_tainted"] = [OWN_PROGRAMS]
    return {name: rules for name, rules in found.items() if rules}


def _joined(given: dict[str, Any] | None, rules: dict[str, list[str]]) -> dict[str, Any] | None:
    if not rules:
        return given
    joined = dict(given or {})
    for name, added in rules.items():
        joined[name] = [*(joined.get(name) or []), *added]
    return joined
