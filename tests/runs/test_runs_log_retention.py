"""Retention of logs: what goes, what stays, and that a reader is told, whenever it comes."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from studio import Studio, open_studio

from motet.errors import StateCorrupt
from motet.events import (
    Event,
    EventsRemoved,
    InterruptRequested,
    MessageCompleted,
    MessageDelta,
    Notice,
    RunCompleted,
    RunInterrupted,
)
from motet.runs.log.retention import DAY_S, Retention
from motet.secret import Secret
from motet.settings import Settings
from motet.storage import tables
from motet.storage.engine import Database
from motet.storage.schema import prepare

STORY: list[Event] = [  # numbers 3 to 11: the acceptance has 1 and 2
    Notice(text="a"),
    MessageDelta(message_id="m1", text="海上"),
    MessageDelta(message_id="m1", text="灯塔"),
    MessageCompleted(message_id="m1", role="assistant", text="海上灯塔"),
    MessageDelta(message_id="m2", text="half"),
    Notice(text="b"),
    MessageDelta(message_id="m3", text="x"),
    MessageCompleted(message_id="m3", role="assistant", text="x"),
    RunCompleted(output={}),
]


def removed(first: int, last: int, why: str) -> tuple[int, Event]:
    return last, EventsRemoved.model_validate({"first_seq": first, "last_seq": last, "why": why})


async def told(studio: Studio, *story: Event, age_days: float = 2.0) -> str:
    """Have a run tell a story, and end some days ago."""
    run_id = (await studio.submit("hi")).run_id
    claim = await studio.queue.claim("w1")
    assert claim is not None
    await studio.log.append(claim, story)
    await age(studio, run_id, age_days)
    return run_id


async def age(studio: Studio, run_id: str, days: float) -> None:
    older = sa.update(tables.runs).where(tables.runs.c.run_id == run_id)
    await studio.database.write(
        lambda c: c.execute(older.values(ended_at=tables.runs.c.ended_at - days * DAY_S))
    )


async def log_of(studio: Studio, run_id: str, after: int = 0) -> list[tuple[int, Event]]:
    return [(r.seq, r.event) for r in await studio.log.read("local", run_id, after=after)]


def folding(database: Database) -> Retention:
    return Retention(database=database, fold_after_days=1.0, keep_days=0.0)


def expiring(database: Database) -> Retention:
    return Retention(database=database, fold_after_days=1.0, keep_days=30.0)


async def test_pieces_of_whole_messages_are_folded_and_all_else_stays(studio: Studio) -> None:
    run_id = await told(studio, *STORY)
    before = await log_of(studio, run_id)
    said = await studio.records.messages((await studio.records.run(run_id)).thread_id)
    assert await folding(studio.database).trim() == 1
    expected = [pair for pair in before if pair[0] not in (4, 5, 9)]
    expected += [removed(4, 5, "folded"), removed(9, 9, "folded")]
    assert await log_of(studio, run_id) == sorted(expected, key=lambda pair: pair[0])
    assert await studio.records.messages((await studio.records.run(run_id)).thread_id) == said
    assert await folding(studio.database).trim() == 0


async def test_of_an_old_run_only_its_end_stays_with_one_event_for_the_rest(studio: Studio) -> None:
    run_id = await told(studio, *STORY)
    await folding(studio.database).trim()
    await age(studio, run_id, 40)
    assert await expiring(studio.database).trim() == 1
    assert await log_of(studio, run_id) == [removed(1, 10, "expired"), (11, STORY[-1])]
    assert (await studio.records.run(run_id)).status == "success"
    texts = [m.text for m in await studio.records.messages((await studio.records.run(run_id)).thread_id)]
    assert texts == ["hi", "海上灯塔", "x"]
    assert await expiring(studio.database).trim() == 0


async def test_what_is_young_or_at_work_is_left_alone(studio: Studio) -> None:
    run_id = await told(studio, *STORY, age_days=0.5)
    working = await told(studio, *STORY[:4])
    before = await log_of(studio, run_id), await log_of(studio, working)
    assert await expiring(studio.database).trim() == 0
    assert (await log_of(studio, run_id), await log_of(studio, working)) == before


async def test_days_of_0_keep_everything(studio: Studio) -> None:
    run_id = await told(studio, *STORY, age_days=4000)
    before = await log_of(studio, run_id)
    assert await Retention(database=studio.database, fold_after_days=0, keep_days=0).trim() == 0
    assert await log_of(studio, run_id) == before


async def test_a_question_stays_where_it_may_still_be_answered(studio: Studio) -> None:
    question = InterruptRequested(interrupt_id="i1", value="really?")
    run_id = await told(studio, *STORY[:2], question, RunInterrupted(), age_days=40)
    await expiring(studio.database).trim()
    assert await log_of(studio, run_id) == [removed(1, 4, "expired"), (5, question), (6, RunInterrupted())]


@pytest.mark.parametrize("after", range(12))
async def test_a_reader_that_comes_late_is_told_from_any_number(studio: Studio, after: int) -> None:
    run_id = await told(studio, *STORY, age_days=40)
    await expiring(studio.database).trim()
    found = [r async for r in studio.log.follow("local", run_id, after=after)]
    assert [r.seq for r in found] == [seq for seq in (10, 11) if seq > after]
    assert [r.event.type for r in found] == ["events.removed", "run.completed"][-len(found) :][: len(found)]


async def test_a_reader_in_the_middle_goes_on_in_order(studio: Studio) -> None:
    run_id = await told(studio, *[Notice(text=str(n)) for n in range(700)], RunCompleted(output={}))
    await age(studio, run_id, 40)
    seen: list[tuple[int, str]] = []
    async for recorded in studio.log.follow("local", run_id):
        if not seen:  # the first 500 are read at once
            await expiring(studio.database).trim()
        seen.append((recorded.seq, recorded.event.type))
    assert [seq for seq, _ in seen] == [*range(1, 501), 702, 703]
    assert [kind for _, kind in seen[-2:]] == ["events.removed", "run.completed"]


async def test_two_workers_at_once_take_out_the_same_once(studio: Studio) -> None:
    run_ids = [await told(studio, *STORY) for _ in range(5)]
    done = await asyncio.gather(*(folding(studio.database).trim() for _ in range(2)))
    assert sum(done) == len(run_ids)
    for run_id in run_ids:
        gone = [event for _, event in await log_of(studio, run_id) if isinstance(event, EventsRemoved)]
        assert [(event.first_seq, event.last_seq) for event in gone] == [(4, 5), (9, 9)]


@pytest.fixture
def encrypted(settings: Settings, tmp_path: Path) -> Iterator[Database]:
    pytest.importorskip("cryptography", reason="the extra motet[encrypt] is not installed")
    url = f"sqlite:///{tmp_path / 'encrypted.db'}"
    storage = replace(
        settings.storage, database_url=url, encryption_key=Secret("a key of the tests that is long enough")
    )
    database = Database(storage)
    try:
        prepare(database, storage)
        yield database
    finally:
        database.close()


async def test_an_encrypted_log_is_folded_encrypted_and_one_that_is_not_read_stays(
    encrypted: Database, settings: Settings, studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_studio(encrypted, settings, studio.graphs) as hidden:
        broken = await told(hidden, *STORY, age_days=3)
        run_id = await told(hidden, *STORY)
        row = sa.and_(tables.events.c.run_id == broken, tables.events.c.seq == 4)
        await encrypted.write(lambda c: c.execute(sa.update(tables.events).where(row).values(event="~AAAA")))
        retention = folding(encrypted)
        assert [await retention.trim(), await retention.trim()] == [1, 0]
        assert removed(4, 5, "folded") in await log_of(hidden, run_id)
        stored = await encrypted.read(lambda c: c.execute(sa.select(tables.events.c.event)).scalars().all())
        assert all(text.startswith("~") for text in stored)
        assert [broken in record.message for record in caplog.records] == [True]
        with pytest.raises(StateCorrupt):
            await log_of(hidden, broken)
