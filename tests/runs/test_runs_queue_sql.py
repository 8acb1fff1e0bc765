"""The queue's conformance suite: every queue in the table `QUEUES`, on every database.

A new queue is a file, a line in `QUEUES`, and nothing here: it is built as the app builds it; a second one
(`second_queue.py`) goes through all of it to show that. Where it needs a server of its own, it needs a fixture for
that. Runs that begin by the clock come to a queue as any other run does, through
the gate: `test_runs_schedules.py` has their checks, with every queue in the table where
a queue has a part in it.
"""

import asyncio
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from studio import Studio, asks

from motet.app import build_app
from motet.errors import LeaseLost, ModelUnavailable, SettingInvalid
from motet.events import Notice, RunCompleted, RunFailed, RunRetrying
from motet.runs.queue.base import QUEUES, Claim, RunQueue, target_of
from motet.runs.queue.owner import worker_id
from motet.runs.queue.sql import NOTHING_S, SqlQueue
from motet.runs.request import Caller, RunJob, RunOptions
from motet.settings import Settings
from motet.storage.clock import lease_now
from motet.storage.tables import runs

LIMIT = 2
"""Runs of one tenant at once."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.replace(runs__tenant_concurrency=LIMIT)


@pytest.fixture(params=[*sorted(QUEUES), "broker"])
def queue(request: pytest.FixtureRequest, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> RunQueue:
    monkeypatch.setitem(QUEUES, "broker", "second_queue:BrokerQueue")  # one file, one line
    module, _, name = target_of(request.param).partition(":")
    return getattr(import_module(module), name)(studio.database, studio.settings.runs)


@pytest.fixture
def unlimited(studio: Studio, queue: RunQueue) -> RunQueue:
    """The same queue without a limit on tenants."""
    made: Any = type(queue)
    return made(studio.database, replace(studio.settings.runs, tenant_concurrency=0))


async def claim(queue: RunQueue, worker: str = "w1") -> Claim:
    found = await queue.claim(worker)
    assert found is not None
    return found


def caller(tenant: str) -> Caller:
    return Caller(tenant_id=tenant)


async def claimed_tenants(queue: RunQueue, count: int) -> list[str]:
    return [(await claim(queue)).job.tenant_id for _ in range(count)]


async def due(studio: Studio, run_id: str) -> None:
    """Let a run's pause be over."""
    change = sa.update(runs).where(runs.c.run_id == run_id).values(not_before=0)
    await studio.database.write(lambda c: c.execute(change))


async def row(studio: Studio, run_id: str) -> Any:
    query = sa.select(runs).where(runs.c.run_id == run_id)
    return await studio.database.read(lambda c: c.execute(query).one())


async def end(studio: Studio, claimed: Claim) -> None:
    await studio.log.append(claimed, [RunCompleted(output={})])


async def expire(studio: Studio) -> None:
    await studio.database.write(lambda c: c.execute(sa.update(runs).values(lease_until=0.0)))


def test_a_queue_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(SettingInvalid, match=r"MOTET_QUEUE 'sqk' is no queue. Did you mean 'sql'"):
        target_of("sqk")


async def test_an_app_works_with_the_queue_that_its_settings_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUEUES, "broker", "second_queue:BrokerQueue")
    async with build_app(settings.replace(runs__queue="broker", models__default="scripted:hi")) as app:
        queue: Any = app._rooms.queue
        accepted = await app.submit(asks("hi", graph="chat"))
        assert queue.wakes == 0
        assert (await queue.claim(worker_id())).job.run_id == accepted.run_id
        assert queue.wakes == 1


async def test_an_empty_queue_gives_nothing(queue: RunQueue) -> None:
    assert await queue.claim("w1") is None


async def test_runs_are_claimed_in_the_order_of_acceptance_each_once(
    studio: Studio, unlimited: RunQueue
) -> None:
    ids = [(await studio.submit(str(i))).run_id for i in range(3)]
    assert [(await claim(unlimited)).job.run_id for _ in range(3)] == ids
    assert await unlimited.claim("w2") is None


async def test_a_run_whose_queue_was_never_told_is_claimed_all_the_same(
    studio: Studio, queue: RunQueue
) -> None:
    """The gate died between its commit and the telling: the row is what counts."""
    accepted = await studio.submit("hi")
    assert (await claim(queue)).job.run_id == accepted.run_id


async def test_being_told_of_a_run_makes_no_second_one(studio: Studio, queue: RunQueue) -> None:
    accepted = await studio.submit("hi")
    job = RunJob.model_validate_json((await row(studio, accepted.run_id)).job)
    queue.accepted(job)
    queue.accepted(job)
    assert (await claim(queue)).job == job
    assert await queue.claim("w1") is None


# Order: priority, turns of tenants, limits, delays


async def test_a_higher_priority_goes_first_whoever_came_before(studio: Studio, queue: RunQueue) -> None:
    await studio.submit("low", priority=-1)
    usual = await studio.submit("usual")
    high = await studio.submit("high", priority=5, caller=caller("other"))
    assert [(await claim(queue)).job.run_id for _ in range(2)] == [high.run_id, usual.run_id]


async def test_tenants_take_turns_however_much_one_has_queued(studio: Studio, unlimited: RunQueue) -> None:
    for n in range(6):
        await studio.submit(str(n), caller=caller("many"))
    for n in range(2):
        await studio.submit(str(n), caller=caller("few"))
    assert await claimed_tenants(unlimited, 2) == ["many", "few"]
    await studio.submit("late", caller=caller("late"))
    assert await claimed_tenants(unlimited, 6) == ["late", "many", "few", "many", "many", "many"]


async def test_a_tenant_has_no_more_runs_at_work_than_its_limit(studio: Studio, queue: RunQueue) -> None:
    for n in range(LIMIT + 2):
        await studio.submit(str(n), caller=caller("a"))
    await studio.submit("b", caller=caller("b"))
    mine = [await claim(queue) for _ in range(LIMIT + 1)]
    assert sorted(c.job.tenant_id for c in mine) == ["a"] * LIMIT + ["b"]
    assert await queue.claim("w2") is None
    await end(studio, next(c for c in mine if c.job.tenant_id == "a"))
    assert (await claim(queue)).job.tenant_id == "a"


async def test_claimants_at_once_keep_the_limit(studio: Studio, queue: RunQueue) -> None:
    for n in range(8):
        await studio.submit(str(n))
    found = await asyncio.gather(*(queue.claim(f"w{i}") for i in range(10)))
    assert len([c for c in found if c]) == LIMIT


async def test_an_abandoned_run_is_taken_over_though_its_tenant_is_at_its_limit(
    studio: Studio, queue: RunQueue
) -> None:
    for n in range(LIMIT):
        await studio.submit(str(n))
        await claim(queue)
    await expire(studio)
    assert (await claim(queue, "w2")).attempt == 2


async def test_a_delayed_run_waits_and_blocks_nobody_of_its_thread(studio: Studio, queue: RunQueue) -> None:
    later = await studio.submit("later", delay_s=3600)
    assert await queue.claim("w1") is None
    now = await studio.submit("now", thread_id=later.thread_id)
    claimed = await claim(queue)
    assert claimed.job.run_id == now.run_id
    await due(studio, later.run_id)
    assert await queue.claim("w1") is None  # one run a thread
    await expire(studio)
    heir = await claim(queue)
    assert heir.job.run_id == now.run_id  # what has begun goes on first
    await end(studio, heir)
    assert (await claim(queue)).job.run_id == later.run_id


# Trouble


async def test_a_job_that_cannot_be_read_ends_its_run_and_frees_its_thread(
    studio: Studio, queue: RunQueue
) -> None:
    broken = await studio.submit("one")
    after = await studio.submit("two", thread_id=broken.thread_id)
    newer = '{"tenant_id": "local", "a_field_of_the_future": 1}'
    change = sa.update(runs).where(runs.c.run_id == broken.run_id).values(job=newer)
    await studio.database.write(lambda c: c.execute(change))
    assert (await claim(queue)).job.run_id == after.run_id
    last = (await studio.recorded(broken.run_id))[-1]
    assert isinstance(last.event, RunFailed)
    assert last.event.error["code"] == "corrupt_state"
    assert (await studio.records.run(broken.run_id)).status == "error"


async def test_a_run_that_is_tried_again_waits_keeps_its_thread_and_counts_no_attempt(
    studio: Studio, queue: RunQueue
) -> None:
    accepted = await studio.submit("one")
    await studio.submit("two", thread_id=accepted.thread_id)
    first = await claim(queue)
    fault = ModelUnavailable("too busy").to_dict()
    await studio.log.append(first, [RunRetrying(retry=1, delay_s=3600, error=fault)])
    assert await queue.claim("w1") is None  # it has left state behind: the thread is its own
    with pytest.raises(LeaseLost):
        await studio.log.append(first, [Notice(text="after")])
    await due(studio, accepted.run_id)
    again = await claim(queue)
    assert (again.job.run_id, again.attempt, again.retries) == (accepted.run_id, 1, 1)
    assert again.fence == first.fence + 1


async def test_a_run_that_waits_for_its_next_try_can_be_stopped(studio: Studio, queue: RunQueue) -> None:
    accepted = await studio.submit("one")
    fault = ModelUnavailable("too busy").to_dict()
    await studio.log.append(await claim(queue), [RunRetrying(retry=1, delay_s=3600, error=fault)])
    assert await queue.request_cancel("local", accepted.run_id, reason="enough")
    assert (await studio.recorded(accepted.run_id))[-1].event.type == "run.cancelled"
    assert await queue.claim("w1") is None


# One run a thread, leases


async def test_a_thread_has_one_run_at_a_time_in_order(studio: Studio, queue: RunQueue) -> None:
    first = await studio.submit("one")
    second = await studio.submit("two", thread_id=first.thread_id)
    claimed = await claim(queue)
    assert await queue.claim("w2") is None
    await end(studio, claimed)
    assert (await claim(queue, "w2")).job.run_id == second.run_id


async def test_a_worker_may_ask_for_its_own_threads_only(studio: Studio, queue: RunQueue) -> None:
    await studio.submit("other")
    mine = await studio.submit("mine")
    found = await queue.claim("w1", thread_ids={mine.thread_id})
    assert found is not None
    assert found.job.run_id == mine.run_id
    assert await queue.claim("w1", thread_ids=set()) is None


async def test_many_claimants_at_once_get_every_run_exactly_once(studio: Studio, unlimited: RunQueue) -> None:
    ids = {(await studio.submit(str(i))).run_id for i in range(12)}
    found = await asyncio.gather(*(unlimited.claim(f"w{i}") for i in range(20)))
    assert sorted(c.job.run_id for c in found if c) == sorted(ids)


async def test_an_expired_lease_is_taken_over_and_the_zombies_writes_are_refused(
    studio: Studio, queue: RunQueue
) -> None:
    accepted = await studio.submit("hi")
    zombie = await claim(queue, "w1")
    await expire(studio)
    heir = await claim(queue, "w2")
    assert (heir.attempt, heir.fence > zombie.fence) == (2, True)
    with pytest.raises(LeaseLost):
        await studio.log.append(zombie, [Notice(text="I am not dead")])
    await end(studio, heir)
    texts = [e.event.type for e in await studio.log.read("local", accepted.run_id)]
    assert texts[-1] == "run.completed"
    assert "notice" not in texts


async def test_a_heartbeat_keeps_a_lease_and_tells_what_is_lost(studio: Studio, queue: RunQueue) -> None:
    await studio.submit("hi")
    mine = await claim(queue, "w1")
    await expire(studio)
    assert [(p.run_id, p.fence) for p in await queue.heartbeat("w1")] == [(mine.job.run_id, mine.fence)]
    assert await queue.claim("w2") is None  # renewed in time
    await expire(studio)
    await claim(queue, "w2")
    assert await queue.heartbeat("w1") == []


async def test_a_heartbeat_renews_only_the_runs_that_are_named(studio: Studio, queue: RunQueue) -> None:
    for n in range(2):
        await studio.submit(str(n))
    kept, dropped = await claim(queue, "w1"), await claim(queue, "w1")
    await expire(studio)
    assert await queue.heartbeat("w1", run_ids=[]) == []
    assert [p.run_id for p in await queue.heartbeat("w1", run_ids=[kept.job.run_id])] == [kept.job.run_id]
    assert (await claim(queue, "w2")).job.run_id == dropped.job.run_id
    assert await queue.claim("w2") is None


async def test_a_cancel_ends_a_run_at_once_that_nobody_works_on(studio: Studio, queue: RunQueue) -> None:
    accepted = await studio.submit("hi")
    assert await queue.request_cancel("local", accepted.run_id, reason="changed my mind")
    last = (await studio.recorded(accepted.run_id))[-1]
    assert (last.seq, getattr(last.event, "reason", "")) == (3, "changed my mind")
    assert (await studio.records.run(accepted.run_id)).status == "cancelled"
    assert await queue.claim("w1") is None
    assert not await queue.request_cancel("local", accepted.run_id)


async def test_a_cancel_reaches_a_running_run_and_no_ended_one(studio: Studio, queue: RunQueue) -> None:
    accepted = await studio.submit("hi")
    claimed = await claim(queue)
    assert await queue.cancels([accepted.run_id]) == set()
    assert await queue.request_cancel("local", accepted.run_id)
    assert await queue.cancels([accepted.run_id, "unknown"]) == {accepted.run_id}
    assert (await queue.heartbeat("w1"))[0].cancel_requested
    await end(studio, claimed)
    assert not await queue.request_cancel("local", accepted.run_id)
    assert not await queue.request_cancel("other", accepted.run_id)


async def test_a_released_run_is_free_at_once_and_its_attempt_does_not_count(
    studio: Studio, queue: RunQueue
) -> None:
    await studio.submit("hi")
    first = await claim(queue, "w1")
    await queue.release(first)
    second = await claim(queue, "w2")
    assert (second.attempt, second.fence) == (1, first.fence + 1)


async def test_leases_of_dead_processes_of_this_machine_end_at_once(studio: Studio, queue: RunQueue) -> None:
    await studio.submit("hi")
    alive = worker_id()
    host, boot, _, _, _ = alive.split("/")
    await claim(queue, f"{host}/{boot}/999999999/1/dead")
    assert await queue.recover(alive) == 1
    await claim(queue, alive)
    assert await queue.recover("someone else") == 0


async def test_a_lease_that_ends_too_late_to_be_true_is_an_earlier_boots(
    studio: Studio, queue: RunQueue
) -> None:
    await studio.submit("hi")
    first = await queue.claim("host/boot/1/2/a")
    assert first is not None
    lease_s = studio.settings.runs.lease_s

    async def end_in(seconds: float) -> None:
        change = sa.update(runs).values(lease_until=lease_now() + seconds)
        await studio.database.write(lambda c: c.execute(change))

    await end_in(5 * lease_s)
    assert await queue.claim("w2") is None
    await end_in(11 * lease_s)
    second = await queue.claim("w2")
    assert second is not None
    assert second.fence == first.fence + 1


async def test_what_was_accepted_here_is_claimed_without_a_look(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, looks = SqlQueue(studio.database, studio.settings.runs), list[object]()
    peek = studio.database.peek

    async def look(work: Any) -> Any:
        looks.append(work)
        return await peek(work)

    monkeypatch.setattr(studio.database, "peek", look)
    accepted = await studio.submit("hi")
    queue.accepted(
        RunJob(
            tenant_id="local",
            owner_id="o",
            run_id=accepted.run_id,
            thread_id="t",
            graph="g",
            input={},
            options=RunOptions(),
        )
    )
    assert (await claim(queue)).job.run_id == accepted.run_id
    assert looks == []
    for _ in range(3):  # what another process took is not asked for again and again
        queue.accepted(
            RunJob(
                tenant_id="local",
                owner_id="o",
                run_id="gone",
                thread_id="t",
                graph="g",
                input={},
                options=RunOptions(),
            )
        )
    assert await queue.claim("w1") is None
    assert looks == []
    assert await queue.claim("w1") is None
    assert len(looks) == 1


async def test_where_nothing_waits_nobody_looks_again_for_a_moment(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, looks = SqlQueue(studio.database, studio.settings.runs), list[object]()
    peek, now = studio.database.peek, [100.0]

    async def look(work: Any) -> Any:
        looks.append(work)
        return await peek(work)

    monkeypatch.setattr(studio.database, "peek", look)
    monkeypatch.setattr("motet.runs.queue.sql.time.monotonic", lambda: now[0])
    assert [await queue.claim("w1", urgent=False) for _ in range(3)] == [None] * 3
    assert len(looks) == 1
    accepted = await studio.submit("by another process")
    assert await queue.claim("w1", urgent=False) is None
    now[0] += NOTHING_S
    found = await queue.claim("w1", urgent=False)
    assert found is not None
    assert found.job.run_id == accepted.run_id


async def test_who_has_a_reason_to_ask_gets_a_look(studio: Studio) -> None:
    queue = SqlQueue(studio.database, studio.settings.runs)
    assert await queue.claim("w1") is None
    accepted = await studio.submit("by another process")
    assert (await claim(queue)).job.run_id == accepted.run_id


async def test_a_run_that_waits_for_another_is_looked_for_at_once(studio: Studio) -> None:
    queue = SqlQueue(studio.database, studio.settings.runs)
    accepted = await studio.submit("one")
    await studio.submit("two", thread_id=accepted.thread_id)
    first = await claim(queue)
    assert await queue.claim("w1", urgent=False) is None  # its thread is busy
    await studio.log.append(first, [RunCompleted(output={})])
    assert await queue.claim("w1", urgent=False) is not None
