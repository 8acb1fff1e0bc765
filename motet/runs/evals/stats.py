"""What results say: shares with their intervals, and whether two sides differ.

What does not live here: the results (`store`).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motet.agents.skills.report import interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.runs.evals.store import Result

ROUNDS = 2000
"""Samples of a bootstrap."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How one side did."""

    count: int
    passed: int
    errors: int
    """Rows whose run failed; they count as not passed."""
    passed_low: float
    passed_high: float
    """95 % interval of the share that passed."""
    score: float
    """Weighted mean of the scores."""
    score_low: float
    score_high: float
    """95 % interval of that mean."""
    tokens: int
    median_s: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two sides differ on the rows that both have."""

    count: int
    better: int
    """Rows that the second passes and the first does not."""
    worse: int
    difference: float
    """Of the mean scores: second less first."""
    low: float
    high: float
    """95 % interval of the difference, over rows drawn anew."""
    p_value: float
    """How likely so uneven a split of `better` and `worse` is when neither side is better."""


def summary(results: Sequence[Result]) -> Summary:
    """Return how one side did; all zeros for no results."""
    passed = sum(result.passed for result in results)
    low, high = interval(passed, len(results))
    pairs = [(result.score, result.weight) for result in results]
    score_low, score_high = bootstrap(pairs)
    times = sorted(result.duration_s for result in results) or [0.0]
    return Summary(
        count=len(results),
        passed=passed,
        errors=sum(bool(result.error) for result in results),
        passed_low=low,
        passed_high=high,
        score=_mean(pairs),
        score_low=score_low,
        score_high=score_high,
        tokens=sum(result.tokens for result in results),
        median_s=times[len(times) // 2],
    )


def compare(first: Mapping[str, Result], second: Mapping[str, Result]) -> Comparison:
    """Compare two sides row by row, by the rows' ids."""
    shared = [name for name in first if name in second]
    better = sum(second[name].passed and not first[name].passed for name in shared)
    worse = sum(first[name].passed and not second[name].passed for name in shared)
    pairs = [(second[name].score - first[name].score, first[name].weight) for name in shared]
    low, high = bootstrap(pairs)
    return Comparison(len(shared), better, worse, _mean(pairs), low, high, sign_test(better, worse))


def bootstrap(pairs: Sequence[tuple[float, float]], *, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the 95 % interval of a weighted mean; the same for the same values.

    Args:
        pairs: Values with their weights; (0, 0) is returned for none.
        rounds: How many samples are drawn.

    Source: the percentile bootstrap, Efron 1979.
    """
    if not pairs:
        return 0.0, 0.0
    chance = random.Random(0)  # noqa: S311  # samples, not secrets
    rows = sorted(pairs)  # rows that ran side by side came in any order
    means = sorted(_mean(chance.choices(rows, k=len(rows))) for _ in range(rounds))
    return means[int(rounds * 0.025)], means[min(int(rounds * 0.975), rounds - 1)]


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p value of a split; 1.0 where nothing differs. Source: McNemar 1947, the exact form."""
    count, least = better + worse, min(better, worse)
    if not count:
        return 1.0
    tail = sum(math.comb(count, k) for k in range(least + 1)) / 2**count
    return min(1.0, 2 * tail)


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    weight = sum(w for _, w in pairs)
    return sum(value * w for value, w in pairs) / weight if weight else 0.0
