"""Checks of what came out: of a step while it runs (`expect`), of a whole run in a test (`assert`).

What does not live here: what follows when one fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, MotetError
from motet.models.json_text import schema_problem
from motet.tasks.expressions import fill, parse, text_of
from motet.tasks.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from motet.agents.judge import Judge
    from motet.tasks.spec import Check

_MARK = re.compile(r"[\[［【](\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*)[\]］】]")
_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Came:
    """What came out."""

    value: Any
    """The output that is looked at unless a check names another."""
    scope: Mapping[str, Any]
    """What a check's expressions may read."""
    citations: Sequence[Mapping[str, Any]] = ()
    """Passages that were found, each with its number."""
    steps: Sequence[str] = ()
    """Steps that were done, in their order."""
    tools: Sequence[str] = ()
    """Tools that were called, once for each call."""
    tokens: int = 0
    seconds: float = 0.0
    judge: Judge | None = field(default=None, repr=False)
    """Who judges a rubric."""


async def fault(check: Check, came: Came) -> str:
    """Return what is wrong by a check, in one line; "" when nothing is."""
    try:
        value = came.value if check.target is None else parse(check.target).value(came.scope)
        wanted = check.value if check.type == "expression" else fill(check.value, came.scope)
        if check.type == "rubric":
            return await _judge(check, str(wanted), value, came)
        found = _CHECKS[check.type](check, wanted, value, came)
    except InvalidInput as error:
        return error.message
    except MotetError as error:
        return f"{check.type}: {error.message}"
    return f"{check.type}: {found}" if found else ""


def _contains(_check: Check, wanted: Any, value: Any, _came: Came) -> str:
    return "" if _holds(value, wanted) else f"{quoted(wanted)} is not in {_shown(value)}"


def _contains_not(_check: Check, wanted: Any, value: Any, _came: Came) -> str:
    return f"{quoted(wanted)} is in {_shown(value)}" if _holds(value, wanted) else ""


def _holds(value: Any, wanted: Any) -> bool:
    texts: list[Any] = wanted if isinstance(wanted, list) else [wanted]
    return all(text_of(text).casefold() in text_of(value).casefold() for text in texts)


def _equals(_check: Check, wanted: Any, value: Any, _came: Came) -> str:
    same = value == wanted or (isinstance(wanted, str) and text_of(value).strip() == wanted.strip())
    return "" if same else f"{_shown(value)} is not {quoted(wanted)}"


def _regex(_check: Check, wanted: Any, value: Any, _came: Came) -> str:
    return "" if re.search(str(wanted), text_of(value)) else f"nothing fits /{wanted}/ in {_shown(value)}"


def _fits(_check: Check, wanted: Any, value: Any, _came: Came) -> str:
    return schema_problem(value, wanted)


def _expression(_check: Check, wanted: Any, value: Any, came: Came) -> str:
    scope = {"output": value, "text": text_of(value), **came.scope}
    return "" if parse(str(wanted)).value(scope) is True else f"'{wanted}' is not true for {_shown(value)}"


def _citations(check: Check, _wanted: Any, value: Any, came: Came) -> str:
    """Count the marks `[n]` that point to a passage which was found."""
    numbers = {passage.get("number") or place for place, passage in enumerate(came.citations, 1)}
    marks = {int(n) for mark in _MARK.findall(text_of(value)) for n in re.findall(r"\d+", mark)}
    least = 1 if check.min is None else check.min
    found = len(marks & numbers)
    if marks - numbers:
        return f"{sorted(marks - numbers)} point to no passage; there are {len(numbers)}"
    return "" if found >= least else f"{found} passages are cited, at least {least} were expected"


def _steps_run(_check: Check, wanted: Any, _value: Any, came: Came) -> str:
    expected: list[Any] = wanted if isinstance(wanted, list) else [wanted]
    missing = [name for name in expected if name not in came.steps]
    return f"{', '.join(missing)} did not run; {', '.join(came.steps) or 'no step'} did" if missing else ""


def _tool_called(check: Check, wanted: Any, _value: Any, came: Came) -> str:
    count = list(came.tools).count(str(wanted))
    least = 1 if check.min is None else check.min
    if check.max is not None and count > check.max:
        return f"{wanted} was called {count} times, at most {check.max:g} were expected"
    return "" if count >= least else f"{wanted} was called {count} times, at least {least} were expected"


def _tool_not_called(_check: Check, wanted: Any, _value: Any, came: Came) -> str:
    return f"{wanted} was called" if str(wanted) in came.tools else ""


def _tokens(check: Check, _wanted: Any, _value: Any, came: Came) -> str:
    most = check.max or 0
    return "" if came.tokens <= most else f"{came.tokens} tokens were used, at most {most:g} were expected"


def _latency(check: Check, _wanted: Any, _value: Any, came: Came) -> str:
    most = check.max or 0
    return "" if came.seconds <= most else f"it took {came.seconds:.1f} s, at most {most:g} were expected"


_CHECKS: dict[str, Callable[[Check, Any, Any, Came], str]] = {
    "contains": _contains,
    "not_contains": _contains_not,
    "equals": _equals,
    "regex": _regex,
    "json_schema": _fits,
    "expression": _expression,
    "citations": _citations,
    "steps_run": _steps_run,
    "tool_called": _tool_called,
    "tool_not_called": _tool_not_called,
    "tokens": _tokens,
    "latency": _latency,
}


async def _judge(check: Check, wanted: str, value: Any, came: Came) -> str:
    if came.judge is None:
        return "rubric: there is no model to judge it"
    verdict = await came.judge.verdict(wanted, text_of(value), spec=check.model)
    if verdict.score >= check.threshold:
        return ""
    return f"rubric: {verdict.score:g} for '{wanted}', at least {check.threshold:g} was expected: {verdict.reason}"


def _shown(value: Any) -> str:
    text = " ".join(text_of(value).split())
    return f"'{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}'"
