"""Filters of the store: which values and which namespaces are meant. Plain Python, so nothing of it can reach SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from motet.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langgraph.store.base import MatchCondition

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def check_filter(wanted: Mapping[str, Any]) -> None:
    """Look at a filter before anything is read.

    Raises:
        InvalidInput: It names an operator that there is not.
    """
    for condition in wanted.values():
        if isinstance(condition, dict):
            inner = cast("dict[str, Any]", condition)
            for name in inner if _has_operators(inner) else ():
                if name not in OPERATORS:
                    raise InvalidInput(
                        f"Unknown operator '{name}' in a filter.{did_you_mean(name, OPERATORS)}"
                    )
            if not _has_operators(inner):
                check_filter(inner)


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether an item's value passes a filter: each key that it names passes its condition."""
    return all(fits(value.get(key), condition) for key, condition in wanted.items())


def fits(value: Any, condition: Any) -> bool:
    """Say whether what stands at a key passes a condition.

    Objects pass when each key that the condition names passes, lists item by item, and all else when equal;
    `{"$gt": 3}` compares. What cannot be compared, a missing number or text with a number, does not pass.
    """
    if isinstance(condition, dict):
        wanted = cast("dict[str, Any]", condition)
        if _has_operators(wanted):
            return all(_compare(name, value, operand) for name, operand in wanted.items())
        found = cast("dict[str, Any]", value) if isinstance(value, dict) else None
        return found is not None and all(fits(found.get(key), inner) for key, inner in wanted.items())
    if isinstance(condition, list | tuple):
        items = cast("Sequence[Any]", condition)
        values = cast("Sequence[Any]", value) if isinstance(value, list) else None
        return (
            values is not None
            and len(values) == len(items)
            and all(fits(one, inner) for one, inner in zip(values, items, strict=True))
        )
    return bool(value == condition)


def matches(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    """Say whether a namespace begins or ends with a condition's path; `*` stands for any one label."""
    path = tuple(condition.path)
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    if len(part) < len(path):
        return False
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))


def _has_operators(condition: Mapping[str, Any]) -> bool:
    return any(name.startswith("$") for name in condition)


def _compare(name: str, value: Any, operand: Any) -> bool:
    try:
        return OPERATORS[name](value, operand)
    except TypeError:
        return False
