"""Which steps come before which: what a step names in `needs`, and what its expressions read.

What does not live here: doing them in that order (`compile`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.tasks.expressions import Reads, expressions_in, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from motet.tasks.expressions import Expression
    from motet.tasks.source import Place
    from motet.tasks.spec import Step

FILLED = ("foreach", "prompt", "sources", "with_", "set", "run", "approve", "save", "env", "model")
"""Fields of a step whose texts may hold expressions between `${{ }}`."""


def step_expressions(step: Step) -> Iterator[tuple[Place, Expression]]:
    """Yield every expression of a step with the key that it stands under.

    Raises:
        InvalidInput: One does not parse.
    """
    for place, source in expression_sources(step):
        if isinstance(source, Bare):
            yield place, parse(source)
        else:
            for expression in expressions_in(source):
                yield place, expression


class Bare(str):
    """CEL without `${{ }}` around it."""

    __slots__ = ()


def expression_sources(step: Step) -> Iterator[tuple[Place, Any]]:
    """Yield each value of a step that may hold expressions, with the key that it stands under."""
    if step.if_ is not None:
        yield ("if",), Bare(step.if_)
    for name in FILLED:
        value = getattr(step, name)
        if value is not None:
            yield (name.rstrip("_"),), value
    if step.loop is not None:
        yield ("loop", "until"), Bare(step.loop.until)
    for number, check in enumerate(step.expect):
        if check.type == "expression" and isinstance(check.value, str):
            yield ("expect", number, "value"), Bare(check.value)
        elif check.value is not None:
            yield ("expect", number, "value"), check.value


def reads_of(step: Step) -> Reads:
    """Return what all expressions of a step read together."""
    all_reads = [expression.reads for _, expression in step_expressions(step)]
    return Reads(*(frozenset[Any]().union(*found) for found in zip(*map(_parts, all_reads), strict=True)))


def _parts(reads: Reads) -> tuple[frozenset[Any], ...]:
    return (reads.variables, reads.inputs, reads.steps, reads.fields, reads.whole, reads.functions)


def needs(steps: Sequence[Step]) -> dict[str, list[str]]:
    """Return which steps each step waits for, in the file's order; names that are no steps are left out."""
    ids = [step.id for step in steps]
    found: dict[str, list[str]] = {}
    for step in steps:
        reads = reads_of(step)
        wanted = {*step.needs, *reads.steps}
        if "steps" in reads.whole:  # all that stand above it
            wanted |= set(ids[: ids.index(step.id)])
        found[step.id] = [name for name in ids if name in wanted]
    return found


def cycle(waits: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a cycle, its first step repeated at its end, or [] where there is none."""
    done: set[str] = set()
    for first in waits:
        path: list[str] = []
        todo = [(first, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                done.add(path.pop())
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                todo.append((name, True))
                todo += [(before, False) for before in waits.get(name, ())]
    return []


def sorted_steps(waits: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the steps so that each comes after those it waits for, else in the file's order. There is no cycle."""
    done: dict[str, None] = {}
    left = list(waits)
    while left:
        ready = next(name for name in left if all(before in done for before in waits[name]))
        done[ready] = None
        left.remove(ready)
    return list(done)


def after(waits: Mapping[str, Sequence[str]], names: set[str]) -> set[str]:
    """Return steps and everything that waits for them, however far."""
    found = set(names)
    for name in sorted_steps(waits):
        if found & set(waits[name]):
            found.add(name)
    return found
