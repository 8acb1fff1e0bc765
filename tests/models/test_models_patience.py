"""Tries and pauses of model calls: what a server asks for is kept, and one that fails on is left alone."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from motet.errors import ModelError, ModelRefused, ModelUnavailable
from motet.models.patience import MAX_WAIT_S, Circuit, Patience, Tries, retry_after_s


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


DOWN = ModelUnavailable("down")


def busy(wait: str) -> ModelUnavailable:
    return ModelUnavailable("busy", status=429, retry_after=wait)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s("2") == 2
    assert retry_after_s("0.5") == 0.5
    assert 50 < retry_after_s(format_datetime(datetime.now(UTC) + timedelta(seconds=60))) <= 60
    assert [retry_after_s(header) for header in ("", "soon", "-3")] == [0, 0, 0]


def test_a_circuit_opens_lets_one_try_and_closes() -> None:
    clock = Clock()
    circuit = Circuit(2, cool_s=10, clock=clock)
    circuit.failed("m", DOWN)
    assert circuit.enter("m", "host") == 0
    circuit.failed("m", DOWN)
    with pytest.raises(ModelUnavailable, match="host failed 2 times in a row") as caught:
        circuit.enter("m", "host")
    assert caught.value.fields["retry_after"] == "10.0"
    clock.now += 10
    assert circuit.enter("m", "host") == 0
    with pytest.raises(ModelUnavailable):  # one tries, the others wait
        circuit.enter("m", "host")
    circuit.succeeded()
    assert not circuit.is_open
    assert circuit.enter("m", "host") == 0


def test_a_server_that_says_no_or_is_busy_is_there() -> None:
    circuit = Circuit(1)
    circuit.failed("m", ModelRefused("no key"))
    circuit.failed("m", busy(""))
    assert not circuit.is_open


def test_a_pause_that_was_asked_for_holds_every_call_of_that_model() -> None:
    clock = Clock()
    circuit = Circuit(clock=clock)
    circuit.failed("m", busy("2"))
    assert (circuit.enter("m", "h"), circuit.enter("other", "h")) == (2, 0)
    clock.now += 1.5
    assert circuit.enter("m", "h") == 0.5
    circuit.failed("m", busy("3600"))
    with pytest.raises(ModelUnavailable, match="asked to be left alone") as caught:
        circuit.enter("m", "h")
    assert float(caught.value.fields["retry_after"]) > MAX_WAIT_S


async def test_tries_are_counted() -> None:
    tries = Tries(Patience(2, pause_s=0.0), "m", "h")
    await tries.failed(DOWN)
    await tries.failed(DOWN)
    with pytest.raises(ModelUnavailable, match="down"):
        await tries.failed(DOWN)


@pytest.mark.parametrize("error", [ModelRefused("no"), ModelError("odd"), busy("3600")])
async def test_what_another_try_does_not_mend_is_not_tried_again(error: ModelError) -> None:
    with pytest.raises(type(error)):
        await Tries(Patience(2, pause_s=0.0), "m", "h").failed(error)


def test_an_unreadable_answer_is_asked_for_once_more() -> None:
    tries = Tries(Patience(5, pause_s=0.0), "m", "h")
    odd = ModelError("odd", malformed=True)
    tries.failed_now(odd)
    with pytest.raises(ModelError):
        tries.failed_now(odd)
