"""Workers: how many runs at once, whose, and what becomes of them when something stops."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState
from studio import Studio, graph_of

from motet.errors import DatabaseFull, DatabaseUnavailable, StorageError
from motet.events import Event, Recorded, RunCancelledEvent, RunCompleted, RunStarted
from motet.runs.calm import Calm
from motet.runs.queue.base import Claim
from motet.runs.queue.sql import SqlQueue
from motet.runs.worker import Worker
from motet.settings import RunSettings, Settings
from motet.storage.tables import runs


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Two runs at once, and a heart that beats fast."""
    return replace(settings, runs=RunSettings(concurrency=2, heartbeat_s=0.05, lease_s=3.0))


class Hall:
    """A graph whose node counts who is inside, and lets them out when its door opens."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.entered: list[str] = []
        self.someone = asyncio.Event()
        self.door = asyncio.Event()

    async def stay(self, state: MessagesState) -> dict[str, Any]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.append(state["messages"][-1].text)
        self.someone.set()
        try:
            await self.door.wait()
        finally:
            self.inside -= 1
        return {"messages": [AIMessage("out")]}


@pytest.fixture
async def hall(studio: Studio) -> Hall:
    hall = Hall()
    studio.graphs["echo"] = graph_of(hall.stay)
    return hall


class QueueBehind:
    """The studio's queue; a test may slow it down or make it fail."""

    def __init__(self, studio: Studio) -> None:
        self._queue = studio.queue
        self.claimed = asyncio.Event()
        self.linger = False
        self.failures = 0

    async def claim(
        self, worker_id: str, *, thread_ids: Collection[str] | None = None, urgent: bool = True
    ) -> Claim | None:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("locked for a while")
        found = await self._queue.claim(worker_id, thread_ids=thread_ids)
        if found is not None and self.linger:
            self.claimed.set()
            await asyncio.sleep(0.1)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def reasons(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, RunCancelledEvent)]


async def begun(studio: Studio, run_id: str) -> None:
    """Wait until the log says that a run began."""
    async for recorded in studio.log.follow("local", run_id):
        if recorded.event.type == "run.started":
            return


async def change(studio: Studio, **values: Any) -> None:
    await studio.database.write(lambda c: c.execute(sa.update(runs).values(**values)))


# How many, and whose


async def test_no_more_runs_at_once_than_allowed_and_each_gets_its_turn(studio: Studio, hall: Hall) -> None:
    accepted = [await studio.submit(str(n)) for n in range(5)]
    await studio.work()
    async with asyncio.timeout(20):
        while hall.inside < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.15)  # a third would have its chance
    assert hall.inside == 2
    hall.door.set()
    ends = [(await studio.events(a.run_id))[-1].type for a in accepted]
    assert ends == ["run.completed"] * 5
    assert hall.most == 2
    assert sorted(hall.entered[:2]) == ["0", "1"]  # side by side
    assert sorted(hall.entered[2:]) == ["2", "3", "4"]


async def test_a_worker_of_some_threads_leaves_the_others_alone(studio: Studio) -> None:
    other = await studio.submit("not mine")
    mine = await studio.submit("mine")
    worker = Worker(studio.queue, studio.engine, studio.settings.runs, threads={mine.thread_id})
    studio.workers.append(worker)
    await worker.start()
    assert (await studio.events(mine.run_id))[-1].type == "run.completed"
    assert (await studio.records.run(other.run_id)).status == "pending"
    worker.wake(other.thread_id)  # now it is this worker's too
    assert (await studio.events(other.run_id))[-1].type == "run.completed"


async def test_a_run_begins_at_once_when_the_worker_is_woken(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motet.runs.worker.WATCH_S", 60.0)  # by itself it would not look again
    await studio.work()
    await asyncio.sleep(0.05)
    accepted = await studio.submit("hi")
    assert (await asyncio.wait_for(studio.events(accepted.run_id), 10))[-1].type == "run.completed"


async def test_no_run_begins_while_the_event_loop_is_late(
    studio: Studio, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, calm = asyncio.Event(), asyncio.Event()

    async def wait(_: Calm) -> None:
        asked.set()
        await calm.wait()

    monkeypatch.setattr(Calm, "wait", wait)
    accepted = await studio.submit("hi")
    await studio.work()
    await asked.wait()
    assert (await studio.records.run(accepted.run_id)).status == "pending"
    calm.set()
    hall.door.set()
    assert (await studio.events(accepted.run_id))[-1].type == "run.completed"


async def test_a_run_of_another_process_is_found_without_being_woken(studio: Studio) -> None:
    await studio.work()
    workers, studio.workers = studio.workers, []  # nobody to wake
    accepted = await studio.submit("hi")
    assert (await studio.events(accepted.run_id))[-1].type == "run.completed"
    studio.workers = workers


# Closing


async def test_a_closed_worker_gives_its_runs_back_at_once(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("hi")
    worker = await studio.work()
    await hall.someone.wait()
    await begun(studio, accepted.run_id)
    await worker.aclose()
    assert hall.inside == 0
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.attempt) == ("pending", 0)  # nothing went wrong: the attempt does not count
    hall.door.set()
    await studio.work()
    events = await studio.events(accepted.run_id)
    assert events[-1].type == "run.completed"
    assert [e.attempt for e in events if isinstance(e, RunStarted)] == [1, 1]
    await worker.aclose()  # a second time does nothing


async def test_a_draining_worker_lets_runs_end_and_begins_no_other(studio: Studio, hall: Hall) -> None:
    worker = await studio.work()
    accepted = await studio.submit("mine")
    await hall.someone.wait()
    draining = asyncio.create_task(worker.drain(30.0))
    await asyncio.sleep(0.05)
    late = await studio.submit("late")
    await asyncio.sleep(0.3)
    assert hall.entered == ["mine"]
    hall.door.set()
    assert await draining == 0
    assert (await studio.records.run(accepted.run_id)).status == "success"
    assert (await studio.records.run(late.run_id)).status == "pending"


async def test_a_draining_worker_gives_back_what_does_not_end_in_time(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("long")
    worker = await studio.work()
    await hall.someone.wait()
    await begun(studio, accepted.run_id)
    assert await worker.drain(0.05) == 1
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.attempt) == ("pending", 0)
    hall.door.set()
    await studio.work()
    assert (await studio.events(accepted.run_id))[-1].type == "run.completed"
    assert await worker.drain(0.05) == 0  # a second time does nothing


async def test_a_worker_that_never_started_can_be_closed(studio: Studio) -> None:
    await Worker(studio.queue, studio.engine, studio.settings.runs).aclose()


async def test_a_run_that_is_claimed_while_the_worker_closes_is_given_back(
    studio: Studio, hall: Hall
) -> None:
    queue: Any = QueueBehind(studio)
    queue.linger = True
    worker = Worker(queue, studio.engine, studio.settings.runs)
    await worker.start()
    accepted = await studio.submit("hi")
    await queue.claimed.wait()
    await worker.aclose()
    assert (await studio.records.run(accepted.run_id)).status == "pending"
    assert hall.entered == []


async def test_a_run_that_was_only_just_claimed_is_given_back(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("hi")
    worker = Worker(studio.queue, studio.engine, studio.settings.runs)
    assert await worker._claim_one()  # its task has not had its first step
    await worker.aclose()
    assert (await studio.records.run(accepted.run_id)).status == "pending"
    assert hall.entered == []


# Stopping runs


async def test_a_stopped_run_says_why_and_frees_its_place(studio: Studio, hall: Hall) -> None:
    worker = await studio.work()
    accepted = await studio.submit("hi")
    await hall.someone.wait()
    await worker.stop(accepted.run_id, "Ctrl-C")
    await worker.stop(accepted.run_id, "again")  # the first reason counts
    assert reasons(await studio.events(accepted.run_id)) == ["Ctrl-C"]
    assert hall.inside == 0
    await worker.stop("unknown", "nothing happens")
    hall.door.set()
    after = await studio.submit("next", thread_id=accepted.thread_id)
    assert (await studio.events(after.run_id))[-1].type == "run.completed"


async def test_a_run_that_is_stopped_before_its_first_step_says_so(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("hi")
    worker = Worker(studio.queue, studio.engine, studio.settings.runs)
    assert await worker._claim_one()
    await worker.stop(accepted.run_id, "Ctrl-C")
    events = await asyncio.wait_for(studio.events(accepted.run_id), 5)
    assert reasons(events) == ["Ctrl-C"]
    assert hall.entered == []
    await worker.aclose()
    assert worker._active == {}


async def test_a_run_that_was_cancelled_while_it_waited_never_begins(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("hi")
    assert await studio.queue.request_cancel("local", accepted.run_id)
    await studio.work()
    events = await studio.events(accepted.run_id)
    assert reasons(events) == ["cancelled before it began"]
    assert hall.entered == []
    assert (await studio.records.run(accepted.run_id)).status == "cancelled"


# Leases


async def lease_until(studio: Studio, run_id: str) -> float:
    query = sa.select(runs.c.lease_until).where(runs.c.run_id == run_id)
    return await studio.database.read(lambda c: c.execute(query).scalar_one())


async def test_a_long_run_keeps_its_lease(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("hi")
    await studio.work()
    await studio.work()  # would take it over
    await hall.someone.wait()
    first = await lease_until(studio, accepted.run_id)
    async with asyncio.timeout(20):
        while await lease_until(studio, accepted.run_id) < first + 1.0:  # noqa: ASYNC110  # renewed again and again
            await asyncio.sleep(0.05)
    hall.door.set()
    events = await studio.events(accepted.run_id)
    assert [e.attempt for e in events if isinstance(e, RunStarted)] == [1]
    assert hall.entered == ["hi"]


async def test_a_run_whose_lease_is_lost_stops_without_a_trace(studio: Studio, hall: Hall) -> None:
    accepted = await studio.submit("hi")
    worker = await studio.work()
    await hall.someone.wait()
    await begun(studio, accepted.run_id)
    before = await studio.log.read("local", accepted.run_id)
    await change(studio, worker_id="elsewhere/-/1/1/x", fence=7)
    async with asyncio.timeout(5):
        while hall.inside or worker._active:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.attempt) == ("running", 1)  # it is the other one's, untouched
    assert await studio.log.read("local", accepted.run_id) == before
    hall.door.set()
    other = await studio.submit("another thread's")  # and the worker goes on
    assert (await studio.events(other.run_id))[-1].type == "run.completed"


# Trouble


async def test_a_database_that_is_locked_for_a_while_does_not_end_the_worker(studio: Studio) -> None:
    queue: Any = QueueBehind(studio)
    queue.failures = 2
    worker = Worker(queue, studio.engine, studio.settings.runs)
    studio.workers.append(worker)
    await worker.start()
    accepted = await studio.submit("hi")
    assert (await asyncio.wait_for(studio.events(accepted.run_id), 5))[-1].type == "run.completed"


@pytest.mark.parametrize("error", [StorageError("full"), ValueError("a surprise")], ids=["typed", "any"])
async def test_a_run_whose_end_cannot_be_written_is_taken_up_again_though_others_go_on(
    studio: Studio, error: Exception
) -> None:
    class FailingLog:
        """Refuses the first end of the first run."""

        failures = 1

        async def append(self, claim: Claim, events: Sequence[Event]) -> list[Recorded]:
            if isinstance(events[-1], RunCompleted) and self.failures:
                self.failures -= 1
                raise error
            return await studio.log.append(claim, events)

        def __getattr__(self, name: str) -> Any:
            return getattr(studio.log, name)

    ran: list[int] = []

    async def once(state: MessagesState) -> dict[str, Any]:
        ran.append(1)
        return {"messages": [AIMessage("done", id="m1")]}

    studio.graphs["echo"] = graph_of(once)
    log: Any = FailingLog()
    worker = Worker(studio.queue, replace(studio.engine, log=log), studio.settings.runs)
    studio.workers.append(worker)
    await worker.start()
    long = await studio.submit("stays the whole time", graph="wait")
    short = await studio.submit("hi")
    events = await asyncio.wait_for(studio.events(short.run_id), 10)
    assert events[-1].type == "run.completed"
    # that the first attempt began was told together with its end, if it was as quick as that
    assert [e.attempt for e in events if isinstance(e, RunStarted)][-1] == 2
    assert ran == [1]  # only its end was missing
    run = await studio.records.run(long.run_id)
    assert (run.status, run.attempt) == ("running", 1)


@pytest.mark.parametrize("trouble", [DatabaseFull, DatabaseUnavailable])
async def test_a_database_that_takes_nothing_for_a_moment_fails_no_run(
    studio: Studio, trouble: type[StorageError]
) -> None:
    began = 0

    async def node(state: MessagesState) -> dict[str, Any]:
        nonlocal began
        began += 1
        if began == 1:  # as the saver does inside the graph
            raise trouble("No space is left.")
        return {"messages": [AIMessage("there was room again")]}

    studio.graphs["echo"] = graph_of(node)
    long = replace(studio.settings.runs, lease_s=3600.0)  # so it is not waited for
    worker = Worker(SqlQueue(studio.database, long), studio.engine, long)
    studio.workers.append(worker)
    await worker.start()
    accepted = await studio.submit("hi")
    async with asyncio.timeout(20):
        events = await studio.events(accepted.run_id)
    assert isinstance(events[-1], RunCompleted)
    assert [e.attempt for e in events if isinstance(e, RunStarted)] == [1, 1]  # it was no crash


async def test_a_worker_that_takes_its_own_run_up_again_works_on_it_once(studio: Studio, hall: Hall) -> None:
    """As after a pause of the whole process: its lease is over before it can renew it."""
    slow = replace(studio.settings.runs, heartbeat_s=10, lease_s=30)
    worker = Worker(studio.queue, studio.engine, slow)
    studio.workers.append(worker)
    await worker.start()
    accepted = await studio.submit("hi")
    await hall.someone.wait()
    hall.someone.clear()
    await studio.database.write(lambda c: c.execute(sa.update(runs).values(lease_until=0.0)))
    worker.wake(accepted.thread_id)
    await asyncio.wait_for(hall.someone.wait(), 5)
    await asyncio.sleep(0.1)
    assert (hall.inside, len(hall.entered)) == (1, 2)
    hall.door.set()
    events = await asyncio.wait_for(studio.events(accepted.run_id), 5)
    assert isinstance(events[-1], RunCompleted)
