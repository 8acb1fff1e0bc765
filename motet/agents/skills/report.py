"""Adds up how the battery went: shares by skill and language, times, a table and, with matplotlib, a plot.

What does not live here: the prompts (`battery`) and asking (`arms`).
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from motet.agents.skills.battery import SKILLS, Answer, Item, problem
from motet.errors import ExtraMissing, InvalidInput, ModelRefused, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from motet.agents.skills.arms import Arm


@dataclass(frozen=True, slots=True)
class Result:
    """How one prompt went."""

    arm: str
    skill: str
    language: str
    asked: str
    passed: bool
    detail: str
    """What is wrong; "" when nothing is."""
    duration_s: float
    held_out: bool = False
    """See `Item.held_out`."""
    answer: Answer | None = None
    """What the model did; None where an error kept it from answering."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from the results of other prompts and arms."""
        return self.arm, self.skill, self.language, self.asked


def read_results(path: Path) -> list[Result]:
    """Return the results that a file has, a JSON object a line; [] when there is no file.

    Raises:
        InvalidInput: A line is no result; the message names it.
    """
    found: list[Result] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines() if path.exists() else (), 1):
        try:
            found.append(_result(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{path}, line {number}: no result of 'motet eval skills': {error}.") from None
    return found


def _result(answer: dict[str, Any] | None = None, **rest: Any) -> Result:
    if answer is None:
        return Result(**rest)
    calls = tuple((name, arguments) for name, arguments in answer.pop("calls"))
    return Result(**rest, answer=Answer(calls=calls, agents=tuple(answer.pop("agents")), **answer))


async def run(arm: Arm, items: Sequence[Item], *, parallel: int = 1) -> AsyncIterator[Result]:
    """Yield the result of each prompt as it ends, `parallel` at once. An answer that fails, or is none, has failed.

    Raises:
        ModelUnavailable, ModelRefused: The model cannot be asked at all.
    """
    gate = asyncio.Semaphore(parallel)

    async def ask(item: Item) -> Result:
        async with gate:
            return await _ask(arm, item)

    asked = [asyncio.create_task(ask(item)) for item in items]
    try:
        for ended in asyncio.as_completed(asked):
            yield await ended
    finally:
        for task in asked:
            task.cancel()


async def _ask(arm: Arm, item: Item) -> Result:
    began = time.monotonic()
    answer: Answer | None = None
    try:
        answer = await arm.answer(item)
        found = problem(item, answer)
    except (ModelUnavailable, ModelRefused):
        raise
    except Exception as error:  # noqa: BLE001  # a foreign agent's failure is a result, whatever it raises
        found = f"{type(error).__name__}: {error}"[:200] or "failed"
    took = time.monotonic() - began
    asked = item.turns[-1]
    return Result(arm.name, item.skill, item.language, asked, not found, found, took, item.held_out, answer)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    skill: str
    passed: dict[str, int]
    """By arm."""
    count: int
    median_s: dict[str, float]
    asked: dict[str, int]
    """Prompts by arm: one that was stopped has been asked fewer than the other."""


def lines(results: Sequence[Result]) -> list[Line]:
    """Return a line for each skill and language, one for what is held out, and the last for all."""
    arms = list(dict.fromkeys(result.arm for result in results))
    pairs = [(skill, language) for skill in SKILLS for language in ("en", "zh")]
    groups = [(", ".join(pair), [r for r in results if (r.skill, r.language) == pair]) for pair in pairs]
    found = [_line(name, group, arms) for name, group in groups if group]
    held_out = [r for r in results if r.held_out]
    return [
        *found,
        *([_line("held out", held_out, arms)] if held_out else []),
        _line("all", list(results), arms),
    ]


def _line(name: str, results: list[Result], arms: list[str]) -> Line:
    by_arm = {arm: [r for r in results if r.arm == arm] for arm in arms}
    times = {arm: statistics.median([r.duration_s for r in of] or [0.0]) for arm, of in by_arm.items()}
    count = max(len(of) for of in by_arm.values())
    passed = {arm: sum(r.passed for r in of) for arm, of in by_arm.items()}
    return Line(name, passed, count, times, {arm: len(of) for arm, of in by_arm.items()})


def interval(passed: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share. Source: Wilson 1927."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, passed / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw the shares by skill into a file.

    Raises:
        ExtraMissing: matplotlib is not installed.
    """
    try:
        matplotlib: Any = import_module("matplotlib")
        matplotlib.use("Agg")
        pyplot: Any = import_module("matplotlib.pyplot")
    except ImportError:
        raise ExtraMissing("A plot needs matplotlib: pip install 'motet[eval]'.") from None
    found = lines(results)
    arms = list(found[-1].passed)
    figure, axes = pyplot.subplots(figsize=(9, 0.4 * len(found) + 1.5), layout="constrained")
    height = 0.8 / len(arms)
    for place, arm in enumerate(arms):
        shares = [100 * line.passed[arm] / max(line.asked[arm], 1) for line in found]
        axes.barh([n + place * height for n in range(len(found))], shares, height, label=arm)
    axes.set_yticks([n + 0.4 - height / 2 for n in range(len(found))], [line.skill for line in found])
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="right, %")
    axes.legend(loc="lower left")
    figure.savefig(path)
    pyplot.close(figure)
