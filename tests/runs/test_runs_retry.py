"""Faults that pass are waited out, for as long as a server says; others end a run."""

import time
from email.utils import formatdate
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState
from studio import Studio, graph_of

from motet.errors import ContextOverflow, ModelRefused, ModelUnavailable, MotetError
from motet.events import RunRetrying
from motet.runs.request import RunOptions
from motet.runs.retry import MAX_RETRY_AFTER_S, RetryPolicy, retry_after_s
from motet.settings import Settings

POLICY = RetryPolicy(max_retries=3, delay_s=2.0, max_delay_s=6.0)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.replace(runs__retry_delay_s=0.05, runs__max_retries=2)


def pause(retries: int, **fields: Any) -> float:
    event = POLICY.after(ModelUnavailable("busy", **fields), retries)
    assert event is not None
    return event.delay_s


def test_pauses_grow_up_to_a_longest_one_and_differ() -> None:
    for retries, longest in ((0, 2.0), (1, 4.0), (2, 6.0)):
        found = [pause(retries) for _ in range(50)]
        assert longest / 2 <= min(found) < max(found) <= longest
        assert len(set(found)) > 10


def test_nobody_comes_back_earlier_than_the_server_said_nor_much_later() -> None:
    assert all(30 <= pause(0, retry_after="30") <= 33 for _ in range(50))
    at = formatdate(time.time() + 100, usegmt=True)
    assert 95 <= pause(2, retry_after=at) <= 111
    assert pause(0, retry_after="0") >= 1.0


def test_a_server_that_wants_more_than_a_day_is_not_waited_for() -> None:
    assert POLICY.after(ModelUnavailable("busy", retry_after=str(MAX_RETRY_AFTER_S + 1)), 0) is None


@pytest.mark.parametrize("header", ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "明天"])
def test_what_says_nothing_asks_for_no_pause(header: str) -> None:
    assert retry_after_s(header) == 0.0


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ModelUnavailable("down"), True),
        (ModelRefused("wrong key"), False),
        (ContextOverflow("too long"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_faults_that_pass_are_tried_again(error: MotetError, again: bool) -> None:
    assert (POLICY.after(error, 0) is not None) == again


def test_a_caller_may_want_fewer_or_more_tries() -> None:
    fault = ModelUnavailable("down")
    assert POLICY.after(fault, 3) is None
    assert POLICY.after(fault, 3, max_retries=4) is not None
    assert POLICY.after(fault, 0, max_retries=0) is None


# In the engine


class Flaky:
    """Two nodes: the first counts, the second fails as often as it is told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.first_calls = 0

    async def first(self, state: MessagesState) -> dict[str, Any]:
        self.first_calls += 1
        return {"messages": [AIMessage("halfway")]}

    async def second(self, state: MessagesState) -> dict[str, Any]:
        if self.failures:
            self.failures -= 1
            raise ModelUnavailable("The server is down.")
        return {"messages": [AIMessage("there")]}


async def test_a_run_goes_on_from_where_it_was_when_the_fault_is_over(studio: Studio) -> None:
    flaky = Flaky(2)
    studio.graphs["echo"] = graph_of(flaky.first, flaky.second)
    await studio.work()
    accepted = await studio.submit("hi")
    events = await studio.events(accepted.run_id)
    assert events[-1].type == "run.completed"
    assert [e.retry for e in events if isinstance(e, RunRetrying)] == [1, 2]
    assert flaky.first_calls == 1
    said = [m.text for m in await studio.records.messages(accepted.thread_id)]
    assert said == ["hi", "halfway", "there"]
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.attempt, run.retries) == ("success", 1, 2)


async def test_a_fault_that_stays_ends_the_run_with_its_error(studio: Studio) -> None:
    flaky = Flaky(99)
    studio.graphs["echo"] = graph_of(flaky.first, flaky.second)
    await studio.work()
    accepted = await studio.submit("hi")
    events = await studio.events(accepted.run_id)
    assert events[-1].type == "run.failed"
    assert events[-1].error["code"] == "model_unavailable"
    assert flaky.failures == 99 - 3


async def test_a_run_that_wants_no_retry_fails_at_once(studio: Studio) -> None:
    flaky = Flaky(1)
    studio.graphs["echo"] = graph_of(flaky.first, flaky.second)
    await studio.work()
    accepted = await studio.submit("hi", options=RunOptions(max_retries=0))
    assert (await studio.events(accepted.run_id))[-1].type == "run.failed"
