"""How good an answer is, by the checks of a row: a score from 0 to 1 for each, and what is wrong in one line.

What does not live here: the checks' form (`dataset`), and who judges.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from motet.agents.figures import all_figures
from motet.errors import InvalidInput
from motet.models.json_text import find_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from motet.agents.judge import Judge
    from motet.runs.evals.dataset import Check, Row

_CITATION = re.compile(r"[\[［【]\d{1,3}[\]］】]")
_SIGNED = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\*|'[^']*'|\"[^\"]*\")\]")
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run came to."""

    text: str = ""
    """Its last answer."""
    citations: Sequence[str] = ()
    """Sources and ids of the passages that it cites."""
    tools: Sequence[str] = ()
    """The tools that were called, in order."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What the checks of a row say."""

    score: float
    """Their mean, 0 to 1."""
    passed: bool
    """Whether all of them passed."""
    problems: Sequence[str] = field(default_factory=tuple[str, ...])


async def score(row: Row, answer: Answered, judge: Judge) -> Scored:
    """Score an answer.

    Args:
        row: With its checks.
        answer: What the run came to.
        judge: Who judges; asked where a check needs it alone.

    Raises:
        ModelError: The judge cannot be asked.
    """
    values: list[float] = []
    problems: list[str] = []
    for check in row.checks:
        value, wrong = (
            await _judged(check, row, answer, judge) if check.type == "judge" else _checked(check, answer)
        )
        values.append(value)
        if wrong:
            problems.append(f"{check.type}: {wrong}")
    return Scored(sum(values) / len(values), not problems, problems)


def _checked(check: Check, answer: Answered) -> tuple[float, str]:
    wrong = _RULES[check.type](check, answer)
    return (0.0, wrong) if wrong else (1.0, "")


def _exact(check: Check, answer: Answered) -> str:
    right = [plain(value) for value in _list(check.value)]
    return "" if plain(answer.text) in right else f"{_shown(answer.text)} is not {_shown(check.value)}"


def _contains(check: Check, answer: Answered) -> str:
    said = plain(answer.text)
    missing = [str(value) for value in _list(check.value) if plain(value) not in said]
    return f"{_shown(', '.join(missing))} is not in {_shown(answer.text)}" if missing else ""


def _numeric(check: Check, answer: Answered) -> str:
    """Look for the number among those of the answer, in digits or in words; citations are none."""
    said = numbers(answer.text)
    if any(abs(number - check.value) <= check.tolerance + 1e-9 * abs(check.value) for number in said):
        return ""
    return f"{check.value:g} is not among {', '.join(f'{n:g}' for n in said) or 'no numbers'}"


def numbers(text: str) -> list[float]:
    """Return the numbers that a text states, in digits of any width or in words, citations left out."""
    bare = unicodedata.normalize("NFKC", _CITATION.sub(" ", text))
    digits = [float(n.replace(",", "").replace("−", "-")) for n in _SIGNED.findall(bare)]
    return list(dict.fromkeys([*digits, *sorted(float(n) for n in all_figures(bare))]))


def _json_path(check: Check, answer: Answered) -> str:
    try:
        found = at_path(find_json(answer.text), check.path)
    except (ValueError, InvalidInput) as error:
        return str(error)
    if any(value == check.value for value in found):
        return ""
    return f"{check.path} is {_shown(found[0] if len(found) == 1 else found)}, not {_shown(check.value)}"


def at_path(value: Any, path: str) -> list[Any]:
    """Return what is at a path of a JSON value: `$`, names after dots or in quotes, numbers and `*` in brackets.

    Raises:
        InvalidInput: The path cannot be read.

    Source: the member, index and wildcard selectors of RFC 9535.
    """
    rest = path.removeprefix("$")
    steps = list(_STEP.finditer(rest))
    if "".join(step.group(0) for step in steps) != rest:
        raise InvalidInput(f"The path '{path}' cannot be read: write it as $.items[0].price or $.items[*].")
    found = [value]
    for step in steps:
        name = step.group(1) or step.group(2)
        found = [inner for one in found for inner in _members(one, name, is_dot=step.group(1) is not None)]
    return found


def _members(value: Any, name: str, *, is_dot: bool) -> list[Any]:
    if name == "*":
        inner: Any = value.values() if isinstance(value, dict) else value
        return list(cast("list[Any]", inner)) if isinstance(value, dict | list) else []
    if isinstance(value, dict):
        key = name if is_dot else name.strip("'\"")
        return [value[key]] if key in value else []
    if isinstance(value, list) and name.isdigit():
        listed = cast("list[Any]", value)
        return listed[int(name) : int(name) + 1]
    return []


def _citation(check: Check, answer: Answered) -> str:
    """Every named source is cited; an empty list means that nothing may be."""
    wanted = [str(value) for value in _list(check.value)]
    if not wanted:
        return f"{', '.join(answer.citations)} is cited" if answer.citations else ""
    missing = [name for name in wanted if not any(name in source for source in answer.citations)]
    cited = ", ".join(answer.citations) or "nothing"
    return f"{', '.join(missing)} is not cited; {cited} is" if missing else ""


def _trajectory(check: Check, answer: Answered) -> str:
    wanted, called = [str(value) for value in _list(check.value)], list(answer.tools)
    if check.order == "exact":
        fits = called == wanted
    elif check.order == "any_order":
        fits = all(called.count(name) >= wanted.count(name) for name in wanted)
    else:
        left = iter(called)
        fits = all(name in left for name in wanted)
    return "" if fits else f"{', '.join(called) or 'no tool'} was called, not {', '.join(wanted) or 'none'}"


_RULES: dict[str, Callable[[Check, Answered], str]] = {
    "exact": _exact,
    "contains": _contains,
    "numeric": _numeric,
    "json_path": _json_path,
    "citation": _citation,
    "trajectory": _trajectory,
}


async def _judged(check: Check, row: Row, answer: Answered, judge: Judge) -> tuple[float, str]:
    verdict = await judge.verdict(str(check.value), answer.text, question=row.asked)
    if verdict.score >= check.threshold:
        return verdict.score, ""
    return verdict.score, f"{verdict.score:g}, at least {check.threshold:g} was expected: {verdict.reason}"


def plain(value: Any) -> str:
    """Return a text as it is compared: without citations, in one case and width, blanks as one, no full stop last."""
    text = unicodedata.normalize("NFKC", _CITATION.sub("", str(value))).casefold()
    return " ".join(text.split()).rstrip(" .。!！")


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return f"'{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}'"
