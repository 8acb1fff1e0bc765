"""The queue's conformance suite. Every implementation of `RunQueue` is a parameter of `queue`."""

import asyncio

import pytest
import sqlalchemy as sa
from studio import Studio

from motet.errors import LeaseLost
from motet.events import Notice, RunCompleted
from motet.runs.queue.base import Claim, RunQueue
from motet.runs.queue.owner import worker_id
from motet.storage.clock import lease_now
from motet.storage.tables import runs


@pytest.fixture(params=["sql"])
def queue(studio: Studio) -> RunQueue:
    return studio.queue


async def claim(queue: RunQueue, worker: str = "w1") -> Claim:
    found = await queue.claim(worker)
    assert found is not None
    return found


async def end(studio: Studio, claimed: Claim) -> None:
    await studio.log.append(claimed, [RunCompleted(output={})])


async def expire(studio: Studio) -> None:
    await studio.database.write(lambda c: c.execute(sa.update(runs).values(lease_until=0.0)))


async def test_an_empty_queue_gives_nothing(queue: RunQueue) -> None:
    assert await queue.claim("w1") is None


async def test_runs_are_claimed_in_the_order_of_acceptance_each_once(studio: Studio, queue: RunQueue) -> None:
    ids = [(await studio.submit(str(i))).run_id for i in range(3)]
    assert [(await claim(queue)).job.run_id for _ in range(3)] == ids
    assert await queue.claim("w2") is None


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


async def test_many_claimants_at_once_get_every_run_exactly_once(studio: Studio, queue: RunQueue) -> None:
    ids = {(await studio.submit(str(i))).run_id for i in range(12)}
    found = await asyncio.gather(*(queue.claim(f"w{i}") for i in range(20)))
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


async def test_a_cancel_reaches_pending_and_running_runs_and_no_ended_one(
    studio: Studio, queue: RunQueue
) -> None:
    accepted = await studio.submit("hi")
    assert await queue.request_cancel("local", accepted.run_id)
    assert await queue.cancels([accepted.run_id, "unknown"]) == {accepted.run_id}
    claimed = await claim(queue)
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
