"""What is wrong with a task file: each thing with its file, its line, the value and what was expected.

What does not live here: finding it (`load` and `check`).
"""

from __future__ import annotations

import json
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from motet.errors import InvalidInput, did_you_mean
from motet.tasks.spec import Part, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

    from motet.tasks.source import Place, Source


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    file: str
    line: int
    where: str
    """`steps[1].loop`; "" for the file itself."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where + ': ' if self.where else ''}{self.message}"


def refuse(problems: Sequence[Problem]) -> InvalidInput:
    """Return the error that tells of the first problem, and of how many there are."""
    first, more = problems[0], len(problems) - 1
    rest = f" And {more} more: 'motet task validate {first.file}' lists them." if more else ""
    return InvalidInput(
        f"{first}{rest}", problems=[str(problem) for problem in problems], file=first.file, line=first.line
    )


def problem_at(source: Source, place: Place, message: str) -> Problem:
    """Return a problem at a place of a file."""
    return Problem(source.name, source.line(place), shown(source, place), message)


def shown(source: Source, place: Place) -> str:
    """Return a place as people write it, a step with its id: `steps[1] (research).loop`."""
    text = ""
    value: Any = source.data
    for depth, part in enumerate(place):
        value = _inside(value, part)
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        if depth == 1 and place[0] in ("steps", "tests") and isinstance(value, dict):
            name: Any = value.get("id", value.get("name"))
            text += f" ({name})" if isinstance(name, str) else ""
    return text


def shape_problems(source: Source, error: ValidationError) -> list[Problem]:
    """Return what pydantic found, in the file's own words, in the order of its lines."""
    found: list[Problem] = []
    for fault in error.errors(include_url=False):
        place = tuple(part for part in fault["loc"] if not _is_variant(part, source, fault["loc"]))
        found.append(problem_at(source, place, _words(dict(fault), place)))
    once = list(dict.fromkeys(found))
    return sorted(once, key=lambda problem: problem.line)


def _is_variant(part: Any, source: Source, loc: tuple[Any, ...]) -> bool:
    """Say whether a part of pydantic's place names a variant of a union, and no key of the file."""
    value = source.data
    for step in loc:
        if step == part:
            return isinstance(part, str) and part.startswith(("str", "list[", "int", "float", "function-"))
        value = _inside(value, step)
    return False


def _words(fault: dict[str, Any], place: Place) -> str:
    kind, value = fault["type"], fault.get("input")
    if kind == "extra_forbidden":
        return f"unknown key '{place[-1]}'.{did_you_mean(str(place[-1]), _keys_at(place[:-1]))}"
    if kind == "missing":
        return f"'{place[-1]}' is missing."
    if place and place[-1] == "[key]":
        return f"the name '{place[-2]}' must be letters, digits and '_', and not begin with a digit."
    if kind == "string_pattern_mismatch":
        return f"{quoted(value)} must be letters, digits and '_', and not begin with a digit."
    if kind == "literal_error":
        allowed = [
            word.strip().strip("'") for word in fault["ctx"]["expected"].replace(" or ", ", ").split(",")
        ]
        return f"{quoted(value)} is not known here.{did_you_mean(str(value), allowed)}"
    expected = _EXPECTED.get(kind) or str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"{quoted(value)} does not fit: {expected}."


_EXPECTED = {
    "string_type": "expected a text (put it in quotes)",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a mapping of names to values",
    "model_type": "expected a mapping of keys to values",
}


def quoted(value: Any) -> str:
    """Return a value as it is shown in a message, short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def _inside(value: Any, part: Any) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _keys_at(place: Place) -> list[str]:
    """Return the keys that the file may have at a place."""
    kind: Any = Task
    for part in place:
        kind = _plain_kind(kind)
        if _is_part(kind):
            fields: Mapping[str, Any] = kind.model_fields
            kind = {(info.alias or name): info.annotation for name, info in fields.items()}.get(str(part))
        else:
            kind = get_args(kind)[-1] if get_args(kind) else None
    kind = _plain_kind(kind)
    return [info.alias or name for name, info in kind.model_fields.items()] if _is_part(kind) else []


def _plain_kind(kind: Any) -> Any:
    """Return the one kind of an optional one."""
    if isinstance(kind, types.UnionType):
        return next(inner for inner in get_args(kind) if inner is not types.NoneType)
    return kind


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part)
