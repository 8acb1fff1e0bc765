"""Tries, pauses, and which faults are worth another try."""

import pytest
from langgraph.errors import GraphInterrupt

from motet.errors import (
    BudgetExceeded,
    ModelOutputInvalid,
    ModelRefused,
    ModelUnavailable,
    MotetError,
    RunError,
    ToolFailed,
)
from motet.tasks.attempt import EXPECTATION, TIMEOUT, attempts, pause_s, worth_it
from motet.tasks.spec import Retry


@pytest.mark.parametrize(
    ("error", "names", "worth"),
    [
        (ModelUnavailable("x"), [], True),
        (ModelRefused("x", status=429), [], True),
        (ModelRefused("x", status=401), [], False),
        (RunError("x", kind=TIMEOUT), [], True),
        (RunError("x", status=503), ["5xx"], True),
        (ModelUnavailable("x"), ["rate_limit"], False),
        (ModelOutputInvalid("x"), ["output"], True),
        (ToolFailed("x"), ["tool"], True),
        (RunError("x", kind=EXPECTATION), [], False),
        (RunError("x", kind=EXPECTATION), ["expect"], True),
        (ModelRefused("x"), ["model_refused"], True),
        (RunError("x"), ["any"], True),
    ],
)
def test_what_is_worth_another_try(error: MotetError, names: list[str], worth: bool) -> None:
    assert worth_it(error, names) is worth


@pytest.mark.parametrize(
    ("backoff", "pauses"), [("none", [0, 0, 0]), ("fixed", [2, 2, 2]), ("exponential", [2, 4, 5])]
)
def test_pauses_grow_as_they_are_told(backoff: str, pauses: list[float]) -> None:
    retry = Retry.model_validate({"backoff": backoff, "initial": "2s", "max": "5s"})
    assert [pause_s(retry, number) for number in (1, 2, 3)] == pauses


async def test_tries_end_with_success_or_the_last_error() -> None:
    made: list[int] = []

    async def third_time() -> str:
        made.append(1)
        if len(made) < 3:
            raise ModelUnavailable("away")
        return "done"

    retry = Retry(max_attempts=3, backoff="none")
    assert await attempts(third_time, retry=retry, timeout_s=None) == "done"
    made.clear()
    with pytest.raises(ModelUnavailable):
        await attempts(third_time, retry=Retry(max_attempts=2, backoff="none"), timeout_s=None)
    assert len(made) == 2


@pytest.mark.parametrize("error", [BudgetExceeded("x"), GraphInterrupt(())])
async def test_what_ends_the_run_is_not_tried_again(error: Exception) -> None:
    made: list[int] = []

    async def never() -> None:
        made.append(1)
        raise error

    with pytest.raises(type(error)):
        await attempts(never, retry=Retry(errors=["any"], backoff="none"), timeout_s=5)
    assert made == [1]


async def test_a_bug_of_others_becomes_an_error_of_the_tree() -> None:
    async def broken() -> None:
        raise LookupError("odd")

    with pytest.raises(RunError, match="LookupError: odd"):
        await attempts(broken, retry=None, timeout_s=None)
