"""The event log's conformance suite. Every implementation of `EventLog` is a parameter of `log`."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.engine import Connection
from studio import Studio

from motet.errors import InvalidInput, LeaseLost, NotFound, StorageError
from motet.events import MessageCompleted, Notice, RunCompleted
from motet.runs.log.base import EventLog
from motet.runs.log.sql import SqlLog
from motet.runs.queue.base import Claim
from motet.settings import Settings
from motet.storage.engine import Database


@pytest.fixture(params=["sql"])
def log(studio: Studio) -> EventLog:
    return studio.log


@pytest.fixture
async def claimed(studio: Studio) -> Claim:
    await studio.submit("hi")
    found = await studio.queue.claim("w1")
    assert found is not None
    return found


def notices(*texts: str) -> list[Notice]:
    return [Notice(text=text) for text in texts]


async def test_events_are_numbered_on_from_what_is_there_without_gaps(log: EventLog, claimed: Claim) -> None:
    first = await log.append(claimed, notices("a", "b"))
    second = await log.append(claimed, notices("c"))
    assert [r.seq for r in first + second] == [3, 4, 5]  # 1 and 2 are the acceptance's
    read = await log.read("local", claimed.job.run_id, after=3)
    assert [(r.seq, getattr(r.event, "text", "")) for r in read] == [(4, "b"), (5, "c")]
    assert await log.append(claimed, []) == []


async def test_events_share_the_transaction_of_what_they_tell_of(
    studio: Studio, log: EventLog, claimed: Claim
) -> None:
    def checkpoint(connection: Connection, name: str) -> str:
        connection.exec_driver_sql(f"INSERT INTO steps VALUES ('{name}')")
        return name

    await studio.database.write(lambda c: c.exec_driver_sql("CREATE TABLE steps (name TEXT PRIMARY KEY)"))

    async def store(work: Any) -> str:
        return await studio.database.write(lambda c: (checkpoint(c, "a"), work(c))[0])

    async def fail(work: Any) -> str:
        def both(connection: Connection) -> str:
            work(connection)
            return checkpoint(connection, "a")  # is there already

        return await studio.database.write(both)

    assert await log.append_with(claimed, notices("told"), store) == "a"
    with pytest.raises(StorageError):
        await log.append_with(claimed, notices("not told"), fail)
    await log.append(claimed, notices("next"))
    read = await log.read("local", claimed.job.run_id, after=2)
    assert [(r.seq, getattr(r.event, "text", "")) for r in read] == [(3, "told"), (4, "next")]


async def test_appends_at_once_share_no_number(log: EventLog, claimed: Claim) -> None:
    await asyncio.gather(*(log.append(claimed, notices(str(i))) for i in range(50)))
    read = await log.read("local", claimed.job.run_id)
    assert [r.seq for r in read] == list(range(1, 53))


async def test_a_terminal_event_ends_the_run_and_nothing_follows_it(
    studio: Studio, log: EventLog, claimed: Claim
) -> None:
    await log.append(claimed, [RunCompleted(output={})])
    assert (await studio.records.run(claimed.job.run_id)).status == "success"
    with pytest.raises(LeaseLost):
        await log.append(claimed, notices("late"))


async def test_a_message_enters_the_transcript_once(studio: Studio, log: EventLog, claimed: Claim) -> None:
    event = MessageCompleted(message_id="m1", role="assistant", text="海上灯塔")
    await log.append(claimed, [event])
    await log.append(claimed, [event])
    texts = [m.text for m in await studio.records.messages(claimed.job.thread_id)]
    assert texts == ["hi", "海上灯塔"]
    [(thread, message)] = await studio.records.search("灯塔")
    assert (thread.thread_id, message.text) == (claimed.job.thread_id, "海上灯塔")


async def test_a_reader_gets_every_event_as_it_comes_and_stops_at_the_end(
    log: EventLog, claimed: Claim
) -> None:
    async def read() -> list[int]:
        return [r.seq async for r in log.follow("local", claimed.job.run_id)]

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for i in range(5):
        await log.append(claimed, notices(str(i)))
        await asyncio.sleep(0)
    await log.append(claimed, [RunCompleted(output={})])
    assert await asyncio.gather(*readers) == [list(range(1, 9))] * 3


async def test_a_reader_may_begin_after_any_number(log: EventLog, claimed: Claim) -> None:
    await log.append(claimed, [*notices("a"), RunCompleted(output={})])
    assert [r.seq async for r in log.follow("local", claimed.job.run_id, after=3)] == [4]


async def test_a_reader_of_another_process_sees_it_too(
    log: EventLog, claimed: Claim, database: Database, settings: Settings
) -> None:
    elsewhere = SqlLog(database, settings.runs)  # it is never woken by `log`

    async def read() -> int:
        return len([r async for r in elsewhere.follow("local", claimed.job.run_id)])

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.02)
    await log.append(claimed, [RunCompleted(output={})])
    assert await asyncio.wait_for(reader, 2) == 3


async def test_an_unknown_or_foreign_run_is_not_found(log: EventLog, claimed: Claim) -> None:
    for tenant, run in (("local", "nope"), ("other", claimed.job.run_id)):
        with pytest.raises(NotFound):
            await anext(aiter(log.follow(tenant, run)))
        assert await log.read(tenant, run) == []


async def test_a_reader_that_comes_back_after_the_end_is_told_so_at_once(
    log: EventLog, claimed: Claim
) -> None:
    [*_, last] = await log.append(claimed, [RunCompleted(output={})])
    async with asyncio.timeout(5):
        assert [r async for r in log.follow("local", claimed.job.run_id, after=last.seq)] == []


async def test_a_number_that_the_log_does_not_have_is_refused(log: EventLog, claimed: Claim) -> None:
    with pytest.raises(InvalidInput, match="has 2 events; there is no event 3"):
        await anext(aiter(log.follow("local", claimed.job.run_id, after=3)))
