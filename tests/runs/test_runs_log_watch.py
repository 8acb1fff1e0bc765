"""The one watcher of a process: it wakes who waits, works only while somebody does, and outlives faults."""

import asyncio

import pytest
from studio import Studio

from motet.errors import StorageError
from motet.events import Notice, Recorded, RunCompleted
from motet.runs.log.sql import SqlLog
from motet.runs.log.watch import FRESH_MAX, Watcher
from motet.storage import changes
from motet.storage.engine import Database


def watchers() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "motet-log-watch"]


async def test_readers_share_one_watcher_and_the_last_one_ends_it(studio: Studio) -> None:
    watcher = Watcher(studio.database, 0.05)
    assert watchers() == []
    async with watcher.reader("local", "r1"), watcher.reader("local", "r1"):
        async with watcher.reader("local", "r2"):
            assert len(watchers()) == 1
        assert len(watchers()) == 1
    assert watchers() == []


async def test_readers_of_other_processes_are_woken_without_a_poll(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SURE_S", 60.0)
    runs = [await studio.submit("hi") for _ in range(3)]
    claims = [claim for _ in runs if (claim := await studio.queue.claim("w1")) is not None]
    elsewhere = SqlLog(studio.database, studio.settings.runs)  # nobody in its process appends

    async def read(run_id: str) -> list[int]:
        return [r.seq async for r in elsewhere.follow("local", run_id)]

    readers = [asyncio.create_task(read(claim.job.run_id)) for claim in claims for _ in range(2)]
    async with asyncio.timeout(10):
        for n in range(5):
            for claim in claims:
                await studio.log.append(claim, [Notice(text=str(n))])
            await asyncio.sleep(0.03)
        for claim in claims:
            await studio.log.append(claim, [RunCompleted(output={})])
        assert await asyncio.gather(*readers) == [list(range(1, 9))] * 6


async def test_for_a_run_that_works_here_the_database_is_not_listened_to(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motet.runs.log.watch.GRACE_S", 60.0)  # a slow machine is not another process
    monkeypatch.setattr(changes, "SURE_S", 60.0)
    heard = list[str]()
    monkeypatch.setattr(changes, "changes", lambda *_, **__: heard.append("listened"))
    accepted = await studio.submit("hi")
    await studio.work()
    assert (await studio.events(accepted.run_id))[-1].type == "run.completed"
    assert heard == []


async def test_a_run_of_the_same_name_of_another_tenant_wakes_nobody(database: Database) -> None:
    watcher = Watcher(database, 0.05)
    async with watcher.reader("local", "r1") as woken:
        watcher.tell("other", "r1", 5)
        assert not woken.is_set()
        watcher.tell("local", "r1", 5)
        assert woken.is_set()
        woken.clear()
        watcher.tell("local", "r1", 5)  # nothing new
        assert not woken.is_set()


async def test_what_a_reader_has_read_wakes_the_others_and_not_itself(database: Database) -> None:
    watcher = Watcher(database, 0.05)
    async with watcher.reader("local", "r1") as mine, watcher.reader("local", "r1") as others:
        watcher.saw("local", "r1", 5, mine)
        assert (mine.is_set(), others.is_set()) == (False, True)
        others.clear()
        watcher.saw("local", "r1", 5, others)  # it has read that now
        watcher.tell("local", "r1", 5)
        assert (mine.is_set(), others.is_set()) == (False, False)
        watcher.tell("local", "r1", 6)
        assert (mine.is_set(), others.is_set()) == (True, True)


async def test_who_waits_for_a_run_to_begin_reads_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    if studio.database.dialect != "sqlite":
        pytest.skip("PostgreSQL may tell of what was accepted while it is read")
    runs = [await studio.submit("hi") for _ in range(3)]
    elsewhere, looks, again = SqlLog(studio.database, studio.settings.runs), list[object](), list[str]()
    look, read = Watcher._look, elsewhere.read

    async def looked(self: Watcher, words: str | None) -> None:
        await look(self, words)
        looks.append(words)

    async def reads(tenant_id: str, run_id: str, **rest: int) -> list[Recorded]:
        again.append(run_id)
        return await read(tenant_id, run_id, **rest)

    monkeypatch.setattr(Watcher, "_look", looked)
    monkeypatch.setattr(elsewhere, "read", reads)

    async def wait(run_id: str) -> None:
        async for _ in elsewhere.follow("local", run_id):
            pass

    waiting = [asyncio.create_task(wait(accepted.run_id)) for accepted in runs]
    async with asyncio.timeout(10):
        while not looks:
            await studio.submit("hi")  # the database changes
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert again == []


async def test_a_reader_hears_of_a_database_that_went_away(studio: Studio) -> None:
    accepted = await studio.submit("hi")
    reader = asyncio.create_task(studio.events(accepted.run_id))
    await asyncio.sleep(0.1)
    studio.database.close()
    async with asyncio.timeout(10):
        with pytest.raises(StorageError, match="closed"):
            await reader
    assert watchers() == []


def recorded(*numbers: int) -> list[Recorded]:
    return [Recorded(run_id="r1", thread_id="t", seq=n, at=0.0, event=Notice(text=str(n))) for n in numbers]


async def test_events_of_this_process_are_read_from_memory_and_never_with_a_gap(database: Database) -> None:
    watcher = Watcher(database, 0.05)
    watcher.keep("local", "r1", recorded(1))  # nobody reads: nothing is kept
    async with watcher.reader("local", "r1") as woken:
        assert watcher.fresh("local", "r1", 0, 10) == []
        watcher.keep("local", "r1", recorded(3, 4))
        assert woken.is_set()
        assert watcher.fresh("local", "r1", 2, 10) == recorded(3, 4)
        assert watcher.fresh("local", "r1", 3, 10) == recorded(4)
        assert watcher.fresh("local", "r1", 2, 1) == recorded(3)
        assert watcher.fresh("local", "r1", 1, 10) == []  # 2 is another process's: the database has it
        watcher.keep("local", "r1", recorded(7))  # so are 5 and 6
        assert watcher.fresh("local", "r1", 4, 10) == []
        assert watcher.fresh("local", "r1", 6, 10) == recorded(7)
    assert watcher.fresh("local", "r1", 6, 10) == []


async def test_a_reader_that_does_not_read_is_kept_a_bounded_number_of_events(database: Database) -> None:
    watcher = Watcher(database, 0.05)
    async with watcher.reader("local", "r1"):
        for n in range(1, 10 * FRESH_MAX):
            watcher.keep("local", "r1", recorded(n))
        assert watcher.fresh("local", "r1", 5, 10) == []
        last = 10 * FRESH_MAX - 1
        assert watcher.fresh("local", "r1", last - FRESH_MAX, 500) == recorded(*range(last + 1)[-FRESH_MAX:])


async def test_a_reader_here_hears_of_a_run_that_another_process_took_over(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SURE_S", 0.05)
    await studio.submit("hi")
    claim = await studio.queue.claim("w1")
    assert claim is not None
    run_id = claim.job.run_id
    elsewhere = SqlLog(studio.database, studio.settings.runs)

    async def read() -> list[int]:
        return [r.seq async for r in studio.log.follow("local", run_id)]

    async with asyncio.timeout(10):
        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await studio.log.append(claim, [Notice(text="here")])
        await elsewhere.append(claim, [Notice(text="there"), RunCompleted(output={})])
        assert await reader == [1, 2, 3, 4, 5]
