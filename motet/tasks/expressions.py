"""Expressions: CEL, alone (`if`, `until`) or between `${{ }}` in a text.

What does not live here: which names there are when (`check`, `context`). What is put into a text is never read as
an expression again, so nothing that a model, a document or a caller says can reach another value.

Source: the Common Expression Language's specification; a few functions beside its own are in `FUNCTIONS`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from motet.errors import InvalidInput, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STRING = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_FIELD = re.compile(
    r"\b(inputs|steps)\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:'(\w+)'|\"(\w+)\")\s*\])(?:\s*\.\s*(\w+))?"
)
_INDEX = re.compile(r"\b(?:inputs|steps)\s*\[\s*$")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\])*")
_PATH_PART = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")
_MAX_TEXT = 4_000_000


def _join(items: list[Any], separator: str = ", ") -> str:
    return separator.join(text_of(item) for item in items)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "join": _join,
    "lines": lambda text: str(text).splitlines(),
    "lower": lambda text: str(text).lower(),
    "replace": lambda text, old, new: str(text).replace(old, new),
    "split": lambda text, separator: str(text).split(separator),
    "toJson": lambda value: json.dumps(value, ensure_ascii=False, default=str, sort_keys=True),
    "fromJson": json.loads,
    "trim": lambda text: str(text).strip(),
    "upper": lambda text: str(text).upper(),
}
"""Functions beside CEL's own; each may be written `f(x, y)` or `x.f(y)`."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What an expression reads: names of variables, of inputs, and of steps with their fields."""

    variables: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    fields: frozenset[tuple[str, str]] = frozenset()
    whole: frozenset[str] = frozenset()
    """`inputs` or `steps`, where one is used as a whole."""
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    source: str
    program: Any = field(repr=False)
    reads: Reads

    def value(self, scope: Mapping[str, Any]) -> Any:
        """Return its value; only what it reads is taken from `scope`.

        Raises:
            RunError: It cannot be worked out; the message names it and why.
        """
        if self.reads.variables and _PATH.fullmatch(self.source):
            return _follow(self.source, scope)
        from cel import Context  # noqa: PLC0415  # it brings its own command line along

        variables = {name: scope[name] for name in self.reads.variables if name in scope}
        if "steps" in variables and "steps" not in self.reads.whole:
            variables["steps"] = {n: v for n, v in scope["steps"].items() if n in self.reads.steps}
        try:
            return _plain(self.program.execute(Context(variables, FUNCTIONS)))
        except KeyError as error:
            raise RunError(
                f"'{self.source}': there is no {error} in that value.", expression=self.source
            ) from None
        except (TypeError, ValueError, RuntimeError, OverflowError, AttributeError, RecursionError) as error:
            reason = " ".join(str(error).split())[:300]
            raise RunError(
                f"'{self.source}' cannot be worked out: {reason}", expression=self.source
            ) from None


def _follow(path: str, scope: Mapping[str, Any]) -> Any:
    """Return what a plain path leads to, as it is: CEL's maps forget the order of their keys."""
    value: Any = scope
    for name, number in _PATH_PART.findall(path):
        try:
            value = value[name] if name else value[int(number)]
        except (KeyError, IndexError, TypeError):
            raise RunError(
                f"'{path}': there is no '{name or number}' in that value.", expression=path
            ) from None
    return value


@lru_cache(maxsize=4096)
def parse(source: str) -> Expression:
    """Compile an expression; one that stands between `${{ }}` as a whole is read without them.

    Raises:
        InvalidInput: It is no CEL; the message says where.
    """
    from cel import compile as compile_cel  # noqa: PLC0415

    text = source.strip()
    found = _TEMPLATE.fullmatch(text)
    text = (found[1] if found and "${{" not in found[1] else text).strip()
    try:
        program = compile_cel(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' is no expression: {_reason(str(error))}.", expression=text) from None
    return Expression(text, program, _reads(text, program))


def expressions_in(value: Any) -> Iterator[Expression]:
    """Yield every expression between `${{ }}` in a text, or in the texts of a list or mapping.

    Raises:
        InvalidInput: One does not parse, or a `${{` is never closed.
    """
    if isinstance(value, str):
        for found in _TEMPLATE.finditer(value):
            yield parse(found[1])
        if "${{" in _TEMPLATE.sub("", value):
            raise InvalidInput(f"'{value[:60]}': a '${{{{' has no '}}}}' after it.", expression=value[:60])
    elif isinstance(value, dict):
        for item in cast("dict[Any, Any]", value).values():
            yield from expressions_in(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from expressions_in(item)


def fill(value: Any, scope: Mapping[str, Any], *, unknown: Callable[[Expression], str] | None = None) -> Any:
    """Return a text, list or mapping with its expressions worked out.

    A text that is one expression becomes its value, of any kind; in a longer text values are written out, those
    that are no text as JSON. With `unknown` that is used in place of what cannot be worked out.

    Raises:
        RunError: An expression cannot be worked out.
    """
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {key: fill(item, scope, unknown=unknown) for key, item in items}
    if isinstance(value, list):
        return [fill(item, scope, unknown=unknown) for item in cast("list[Any]", value)]
    if not isinstance(value, str) or "${{" not in value:
        return value

    def work_out(source: str) -> Any:
        expression = parse(source)
        try:
            return expression.value(scope)
        except RunError:
            if unknown is None:
                raise
            return unknown(expression)

    alone = _TEMPLATE.fullmatch(value.strip())
    if alone and "${{" not in alone[1]:
        return work_out(alone[1])
    filled = _TEMPLATE.sub(lambda found: text_of(work_out(found[1])), value)
    if len(filled) > _MAX_TEXT:
        raise RunError(
            f"A text of {len(filled):,} characters came out of '{value[:60]}'; at most {_MAX_TEXT:,} are taken."
        )
    return filled


def text_of(value: Any) -> str:
    """Return a value as it stands in a text: a text as it is, nothing for null, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _reads(text: str, program: Any) -> Reads:
    names = frozenset(program.variables())
    bare = _STRING.sub(lambda found: found[0] if _INDEX.search(text[: found.start()]) else "''", text)
    fields = list(_FIELD.finditer(bare))
    of = {
        kind: frozenset(f[2] or f[3] or f[4] for f in fields if f[1] == kind) for kind in ("inputs", "steps")
    }
    pairs = frozenset((f[2] or f[3] or f[4], f[5]) for f in fields if f[1] == "steps" and f[5])
    whole = frozenset(
        kind for kind in ("inputs", "steps") if re.search(rf"\b{kind}\b(?!\s*(?:\.|\[\s*['\"]))", bare)
    )
    return Reads(names, of["inputs"], of["steps"], pairs, whole & names, frozenset(program.functions()))


def _reason(text: str) -> str:
    """Return what a parse error says, on one line: its first reason and the place."""
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)", text)
    if not found:
        return text.rsplit("ERROR:", maxsplit=1)[-1].strip()[:200]
    what = re.sub(r" expecting .*", "", found[3])
    return f"{what} (character {found[2]})"


def _plain(value: Any) -> Any:
    """Return a CEL value as plain JSON; times as texts."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        # CEL gives the keys in any order; prompts and keys of the cache need one.
        return {str(key): _plain(item) for key, item in sorted(cast("dict[Any, Any]", value).items())}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
