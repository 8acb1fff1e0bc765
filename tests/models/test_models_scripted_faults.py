"""Faults are written in one line, and happen at the calls that it names."""

import pytest

from motet.errors import InvalidInput
from motet.models.scripted_faults import KNOBS, FaultPlan, known_faults


def calls_of(text: str, *, count: int = 4, streamed: bool = True) -> list[int]:
    plan = FaultPlan.parse(text)
    return [n for n in range(1, count + 1) if plan.due(n, is_last=n == count - 1, streamed=streamed)]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("http_500", [1]),
        ("http_500;at=2", [2]),
        ("http_500;at=2;times=2", [2, 3]),
        ("http_500;times=0", [1, 2, 3, 4]),
        ("http_500;at=last", [3]),
        ("http_500;at=last;times=2", [3, 4]),
        ("http_500;stream=no", []),
        ("http_500 ; stream=yes", [1]),
    ],
)
def test_when_a_fault_happens(text: str, calls: list[int]) -> None:
    assert calls_of(text) == calls


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("htp_500", "Unknown fault 'htp_500'. Did you mean 'http_500'"),
        ("http_500;att=2", "unknown knob 'att'. Did you mean 'at'"),
        ("http_500;at=soon", "'at' is a number or 'last'"),
        ("http_500;stream=maybe", "'stream' yes or no"),
    ],
)
def test_a_fault_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        FaultPlan.parse(text)
    assert words in caught.value.message


def test_knobs_are_kept() -> None:
    plan = FaultPlan.parse("rate_limit;at=2;retry_after=2")
    assert (plan.at, plan.times, plan.knobs) == (2, 1, {"retry_after": "2"})
    assert len(known_faults()) > 40
    assert "after" in KNOBS
