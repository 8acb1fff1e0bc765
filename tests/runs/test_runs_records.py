"""Threads, runs and transcripts as they stand on disk, on each database."""

from typing import Any

import pytest
import sqlalchemy as sa
from studio import Studio, asks

from motet.errors import LeaseLost, NotFound
from motet.events import Event, MessageCompleted, Notice, RunCompleted, RunFailed, RunInterrupted
from motet.runs.queue.base import Claim
from motet.runs.records import Records
from motet.runs.request import Caller
from motet.storage.tables import metadata, runs, threads


async def claimed(studio: Studio, text: str = "hi", **more: Any) -> Claim:
    """Submit a run and claim it."""
    await studio.submit(text, **more)
    found = await studio.queue.claim("w1")
    assert found is not None
    return found


async def ended(studio: Studio, *events: Event, text: str = "hi", **more: Any) -> Claim:
    claim = await claimed(studio, text, **more)
    await studio.log.append(claim, events)
    return claim


async def used_at(studio: Studio, thread_id: str, at: float) -> None:
    change = sa.update(threads).where(threads.c.thread_id == thread_id).values(updated_at=at)
    await studio.database.write(lambda c: c.execute(change))


def thread_of(claim: Claim) -> str:
    return claim.job.thread_id


# Threads


async def test_threads_come_the_one_used_last_first(studio: Studio) -> None:
    ids = [(await studio.submit(f"t{n}")).thread_id for n in range(5)]
    for n, thread_id in enumerate(ids):
        await used_at(studio, thread_id, 1000.0 + n)
    assert [t.thread_id for t in await studio.records.threads()] == ids[::-1]
    assert [t.thread_id for t in await studio.records.threads(limit=2, offset=1)] == [ids[3], ids[2]]
    assert await studio.records.threads(limit=0) == []
    assert await studio.records.threads(offset=5) == []
    last = await studio.records.last_thread()
    assert last is not None
    assert last.thread_id == ids[4]


async def test_threads_used_at_one_time_are_each_on_one_page(studio: Studio) -> None:
    ids = {(await studio.submit(f"t{n}")).thread_id for n in range(6)}
    for thread_id in ids:
        await used_at(studio, thread_id, 1000.0)
    pages = [await studio.records.threads(limit=2, offset=offset) for offset in (0, 2, 4)]
    assert {t.thread_id for page in pages for t in page} == ids


async def test_an_empty_database_has_nothing(studio: Studio) -> None:
    assert await studio.records.threads() == []
    assert await studio.records.last_thread() is None
    assert await studio.records.runs() == []
    assert await studio.records.search("anything") == []
    assert await studio.records.messages("nowhere") == []
    assert await studio.records.unfinished("nowhere") == []


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "busy"),
        ([RunCompleted(output={})], "idle"),
        ([RunFailed(error={"code": "x"})], "idle"),
        ([RunInterrupted()], "interrupted"),
    ],
    ids=["running", "completed", "failed", "interrupted"],
)
async def test_a_thread_says_how_it_stands(studio: Studio, events: list[Event], status: str) -> None:
    accepted = await studio.submit("你好 there", metadata={"from": "test"})
    thread = await studio.records.thread(accepted.thread_id)
    assert thread.status == "busy"  # accepted, and nobody works on it yet
    claim = await studio.queue.claim("w1")
    assert claim is not None
    await studio.log.append(claim, events)
    thread = await studio.records.thread(accepted.thread_id)
    assert (thread.status, thread.title, thread.graph, thread.messages) == (status, "你好 there", "echo", 1)
    assert thread.created_at <= thread.updated_at


async def test_a_thread_whose_question_was_answered_waits_no_more(studio: Studio) -> None:
    claim = await ended(studio, RunInterrupted())
    await ended(studio, RunCompleted(output={}), thread_id=thread_of(claim))
    assert (await studio.records.thread(thread_of(claim))).status == "idle"


async def test_a_thread_is_found_by_its_id_the_beginning_of_it_and_its_title(studio: Studio) -> None:
    accepted = await studio.submit("About motets")
    await studio.submit("Something else")
    for name in (accepted.thread_id, accepted.thread_id[:8], accepted.thread_id[:4], "About motets"):
        assert (await studio.records.thread(name)).thread_id == accepted.thread_id


async def test_a_name_that_means_two_threads_or_none_is_not_found(studio: Studio) -> None:
    for thread_id in ("same-one", "same-two", "same"):
        await studio.submit("One title", thread_id=thread_id, create_thread=True)
    assert (await studio.records.thread("same")).thread_id == "same"  # a whole id wins
    for name in ("same-", "One title"):
        with pytest.raises(NotFound, match=f"More than one answers to thread '{name}'"):
            await studio.records.thread(name)
    for name in ("nope", "sam", "%%%%", "same_one", "one title", "", " "):
        with pytest.raises(NotFound, match=f"no thread '{name}'. 'motet threads list' shows them"):
            await studio.records.thread(name)


async def test_an_untitled_thread_does_not_answer_to_an_empty_name(studio: Studio) -> None:
    await studio.submit("", thread_id="quiet", create_thread=True)
    assert (await studio.records.thread("quiet")).title == ""
    with pytest.raises(NotFound):
        await studio.records.thread("")


async def test_a_thread_can_be_renamed(studio: Studio) -> None:
    accepted = await studio.submit("hi")
    await studio.records.rename_thread(accepted.thread_id, "  新的名字 ")
    assert (await studio.records.thread("新的名字")).thread_id == accepted.thread_id
    with pytest.raises(NotFound, match="no thread 'nope'"):
        await studio.records.rename_thread("nope", "x")


# Runs


async def test_runs_come_newest_first_and_can_be_a_threads_own(studio: Studio) -> None:
    first = await studio.submit("one")
    second = await studio.submit("two", thread_id=first.thread_id)
    other = await studio.submit("three")
    assert [r.run_id for r in await studio.records.runs()] == [other.run_id, second.run_id, first.run_id]
    mine = await studio.records.runs(first.thread_id)
    assert [r.run_id for r in mine] == [second.run_id, first.run_id]
    assert [r.run_id for r in await studio.records.runs(limit=1)] == [other.run_id]
    assert await studio.records.runs("nope") == []


async def test_a_run_says_how_it_stands(studio: Studio) -> None:
    accepted = await studio.submit("hi")
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.attempt, run.started_at, run.ended_at) == ("pending", 0, None, None)
    claim = await studio.queue.claim("w1")
    assert claim is not None
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.attempt, run.ended_at, run.last_seq) == ("running", 1, None, 2)
    started_at = run.started_at
    assert started_at is not None
    error = {"code": "model_error", "message": "不行", "fields": {}}
    await studio.log.append(claim, [RunFailed(error=error)])
    run = await studio.records.run(accepted.run_id)
    assert (run.status, run.error, run.last_seq) == ("error", error, 3)
    assert run.ended_at is not None
    assert run.created_at <= started_at <= run.ended_at


async def test_a_run_is_found_by_its_id_and_the_beginning_of_it(studio: Studio) -> None:
    ids = [(await studio.submit(str(n))).run_id for n in range(3)]
    for run_id in ids:
        assert (await studio.records.run(run_id)).run_id == run_id
        assert (await studio.records.run(run_id[:13])).run_id == run_id
    for name in ("nope", "%", "_", ""):
        with pytest.raises(NotFound, match=f"no run '{name}'. 'motet runs list' shows them"):
            await studio.records.run(name)


async def test_an_empty_name_is_no_run_though_there_is_but_one(studio: Studio) -> None:
    await studio.submit("hi")
    with pytest.raises(NotFound, match="no run ''"):
        await studio.records.run("")


async def test_the_beginning_of_two_runs_is_not_found(studio: Studio) -> None:
    for n in (1, 2):
        accepted = await studio.submit(str(n))
        rename = sa.update(runs).where(runs.c.run_id == accepted.run_id).values(run_id=f"aaaa-{n}")
        for change in (sa.text("DELETE FROM events"), rename):
            await studio.database.write(lambda c, change=change: c.execute(change))
    assert (await studio.records.run("aaaa-1")).run_id == "aaaa-1"
    with pytest.raises(NotFound, match="More than one answers to run 'aaaa'"):
        await studio.records.run("aaaa")


async def test_the_unfinished_runs_of_a_thread_come_oldest_first(studio: Studio) -> None:
    claim = await ended(studio, RunCompleted(output={}))
    waiting = [(await studio.submit(str(n), thread_id=thread_of(claim))).run_id for n in range(3)]
    await studio.submit("another thread's")
    await studio.queue.claim("w1")
    unfinished = await studio.records.unfinished(thread_of(claim))
    assert [run.run_id for run in unfinished] == waiting
    assert [run.status for run in unfinished] == ["running", "pending", "pending"]


# Messages and search


async def test_the_newest_messages_come_oldest_first(studio: Studio) -> None:
    said = [MessageCompleted(message_id=f"m{n}", role="assistant", text=str(n)) for n in range(5)]
    claim = await ended(studio, *said, RunCompleted(output={}))
    found = await studio.records.messages(thread_of(claim))
    assert [m.text for m in found] == ["hi", "0", "1", "2", "3", "4"]
    assert [m.seq for m in found] == [1, 2, 3, 4, 5, 6]
    assert {m.run_id for m in found} == {claim.job.run_id}
    assert [m.text for m in await studio.records.messages(thread_of(claim), limit=2)] == ["3", "4"]


async def test_a_search_gives_each_message_with_its_thread(studio: Studio) -> None:
    sea = await studio.submit("海上的灯塔")
    land = await studio.submit("a lighthouse on land")
    [(thread, message)] = await studio.records.search("灯塔")
    assert (thread.thread_id, message.text) == (sea.thread_id, "海上的灯塔")
    both = await studio.records.search("灯塔 lighthouses")
    assert {thread.thread_id for thread, _ in both} == {sea.thread_id, land.thread_id}
    assert len(await studio.records.search("灯塔 lighthouses", limit=1)) == 1
    assert await studio.records.search("  ") == []


# Deleting


async def test_a_deleted_thread_leaves_no_row_anywhere(studio: Studio) -> None:
    claim = await ended(
        studio, MessageCompleted(message_id="m1", role="assistant", text="gone"), RunCompleted(output={})
    )
    kept = await studio.submit("stays")
    await studio.records.delete_thread(thread_of(claim))

    def left(connection: sa.Connection) -> set[str]:
        return {
            table.name
            for table in metadata.tables.values()
            if "thread_id" in table.c
            and connection.execute(sa.select(table).where(table.c.thread_id == thread_of(claim))).first()
        }

    assert await studio.database.read(left) == set()
    orphans = sa.text("SELECT count(*) FROM events WHERE run_id NOT IN (SELECT run_id FROM runs)")
    assert await studio.database.read(lambda c: c.execute(orphans).scalar()) == 0
    index = sa.text("SELECT count(*) FROM fts_messages")
    assert await studio.database.read(lambda c: c.execute(index).scalar()) == 1  # the other thread's message
    assert await studio.records.search("gone hi") == []
    assert [t.thread_id for t in await studio.records.threads()] == [kept.thread_id]
    assert len(await studio.records.search("stays")) == 1
    with pytest.raises(NotFound):
        await studio.records.delete_thread(thread_of(claim))


async def test_the_worker_of_a_deleted_thread_is_told_so(studio: Studio) -> None:
    claim = await claimed(studio)
    await studio.records.delete_thread(thread_of(claim))
    with pytest.raises(LeaseLost):
        await studio.log.append(claim, [Notice(text="still here")])


# Tenants


async def test_another_tenant_sees_and_changes_nothing(studio: Studio) -> None:
    accepted = await studio.submit("secret words", thread_id="same", create_thread=True)
    theirs = Records(studio.database, "other")
    await studio.gate.submit(
        asks("theirs alone", thread_id="same", create_thread=True, caller=Caller(tenant_id="other"))
    )
    assert [t.title for t in await theirs.threads()] == ["theirs alone"]
    assert [m.text for m in await theirs.messages("same")] == ["theirs alone"]
    assert await theirs.search("secret words") == []
    assert len(await theirs.unfinished("same")) == 1
    with pytest.raises(NotFound):
        await theirs.run(accepted.run_id)
    await theirs.rename_thread("same", "renamed")
    await theirs.delete_thread("same")
    assert (await studio.records.thread("same")).title == "secret words"
    assert [m.text for m in await studio.records.messages("same")] == ["secret words"]
    count = sa.select(sa.func.count()).select_from(runs)
    assert await studio.database.read(lambda c: c.execute(count).scalar()) == 1


async def test_a_message_is_found_by_its_id_in_its_thread_alone(studio: Studio) -> None:
    claim = await ended(studio, MessageCompleted(message_id="m2", role="assistant", text="你好"))
    found = await studio.records.message(thread_of(claim), "m2")
    assert found is not None
    assert (found.text, found.run_id) == ("你好", claim.job.run_id)
    assert await studio.records.message(thread_of(claim), "m3") is None
    assert await studio.records.message("another", "m2") is None
