"""Schedules: each tick begins one run, whoever looks, on SQLite and PostgreSQL."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from studio import Studio, asks

from motet.errors import Conflict, InvalidInput, NotFound, PermissionRefused
from motet.runs.queue.base import QUEUES
from motet.runs.request import LOCAL_TENANT, Caller, RunOptions, RunRequest
from motet.runs.schedules import MAX_MISSED, Schedules
from motet.runs.submit import Gate
from motet.runs.worker import Worker
from motet.secret import Secret
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import runs, schedules

START = datetime.fromisoformat("2026-11-24T12:00:00+00:00").timestamp()
MINUTE = 60.0


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = START

    def __call__(self) -> sa.ColumnElement[float]:
        return sa.literal(self.now, sa.Float)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(studio: Studio, clock: Clock) -> Schedules:
    return Schedules(studio.database, studio.gate, LOCAL_TENANT, clock=clock)


@pytest.fixture
def second(studio: Studio, clock: Clock, request: pytest.FixtureRequest) -> Iterator[Schedules]:
    """What another process has: connections and a gate of its own on the same database."""
    storage = studio.settings.storage
    if studio.database.dialect == "postgresql":
        storage = replace(storage, database_url=request.getfixturevalue("postgres_url"))
    database = Database(storage)
    gate = Gate(database, graphs=studio.graphs, default_graph="echo", on_accepted=lambda _job: None)
    yield Schedules(database, gate, LOCAL_TENANT, clock=clock)
    database.close()


async def begun(studio: Studio) -> list[Any]:
    query = sa.select(runs).order_by(runs.c.position)
    return list(await studio.database.read(lambda c: c.execute(query).all()))


def tick_of(run: Any) -> float:
    return float(run.idempotency_key.rpartition(":")[2])


async def test_a_schedule_is_kept_with_its_frozen_request(kept: Schedules) -> None:
    made = await kept.add("0  9 * * 1-5", asks("早上好, what is new?"), zone="Asia/Shanghai", name="早报")
    assert await kept.list() == [made] == [await kept.get("早报")]
    assert (made.cron, made.zone, made.missed, made.paused) == ("0 9 * * 1-5", "Asia/Shanghai", "one", False)
    assert made.next_at == datetime.fromisoformat("2026-11-25T09:00:00+08:00").timestamp()
    assert made.request is not None
    assert made.request.graph == "echo"
    assert made.request.input == {"messages": [{"type": "human", "content": "早上好, what is new?"}]}
    assert (made.last_at, made.last_run_id, made.error) == (None, None, None)


async def test_nothing_begins_before_its_time_and_one_run_at_it(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    await kept.add("0 13 * * *", asks("hi"), name="daily")
    clock.now = START + 3599
    await kept.tick()
    assert await begun(studio) == []
    clock.now = START + 3600
    await kept.tick()
    await kept.tick()
    [run] = await begun(studio)
    made = await kept.get("daily")
    assert (made.last_run_id, made.last_at) == (run.run_id, START + 3600)
    assert made.next_at == START + 25 * 3600
    assert tick_of(run) == START + 3600


async def test_every_tick_begins_one_run_whoever_looks(
    studio: Studio, kept: Schedules, second: Schedules, clock: Clock
) -> None:
    for n in range(3):
        await kept.add("* * * * *", asks(f"number {n}"), name=f"s{n}")
    for _ in range(25):
        clock.now += MINUTE
        await asyncio.gather(*(looker.tick() for looker in (kept, second) for _ in range(3)))
    expected = [START + MINUTE * (n + 1) for n in range(25)]
    found = await begun(studio)
    assert sorted(tick_of(run) for run in found) == sorted(expected * 3)
    assert len({run.idempotency_key for run in found}) == 75


@pytest.mark.parametrize("queue", sorted(QUEUES))
async def test_two_workers_on_one_database_begin_and_end_each_tick_once(
    queue: str, studio: Studio, second: Schedules, kept: Schedules, *, clock: Clock
) -> None:
    """The worker as it is: its chore at every heartbeat, while the clock runs on over 40 ticks."""
    settings: Settings = studio.settings.replace(runs__heartbeat_s=0.02)
    await kept.add("* * * * *", asks("hi"), missed="all", name="s")
    module, _, name = QUEUES[queue].partition(":")
    made = getattr(import_module(module), name)(studio.database, settings.runs)
    for looker in (kept, second):
        worker = Worker(made, studio.engine, settings.runs, chores=[looker.tick])
        await worker.start()
        studio.workers.append(worker)
    for _ in range(40):
        clock.now += MINUTE
        await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        while [run.status for run in await begun(studio)] != ["success"] * 40:  # noqa: ASYNC110  # the database tells nobody
            await asyncio.sleep(0.05)
    assert [tick_of(run) for run in await begun(studio)] == [START + MINUTE * (n + 1) for n in range(40)]


@pytest.mark.parametrize(
    ("missed", "late_s", "expected"),
    [
        ("one", 0, [60]),
        ("one", 10 * 60, [60]),
        ("skip", 0, [60]),
        ("skip", 45, [60]),
        ("skip", 10 * 60 + 30, [11 * 60]),
        ("all", 3 * 60 + 30, [60, 120, 180, 240]),
        ("all", 10 * 86400, [60 * (n + 1) for n in range(MAX_MISSED)]),
    ],
)
async def test_ticks_that_nobody_was_there_for(
    studio: Studio, kept: Schedules, clock: Clock, *, missed: Any, late_s: float, expected: list[float]
) -> None:
    await kept.add("* * * * *", asks("hi"), missed=missed, name="s")
    clock.now = START + MINUTE + late_s
    for _ in range(3):
        await kept.tick()
    assert [tick_of(run) - START for run in await begun(studio)] == expected
    assert (await kept.get("s")).next_at == clock.now - clock.now % MINUTE + MINUTE


async def test_skip_begins_nothing_when_it_is_too_late(studio: Studio, kept: Schedules, clock: Clock) -> None:
    await kept.add("0 13 * * *", asks("hi"), missed="skip", name="s")
    clock.now = START + 2 * 3600
    await kept.tick()
    assert await begun(studio) == []
    made = await kept.get("s")
    assert (made.next_at, made.last_at) == (START + 25 * 3600, None)


async def test_runs_of_one_thread_each_add_a_message(studio: Studio, kept: Schedules, clock: Clock) -> None:
    request = asks("again", thread_id="diary", create_thread=True)
    await kept.add("* * * * *", request, missed="all", name="s")
    clock.now = START + 3 * MINUTE
    await kept.tick()
    assert [m.text for m in await studio.records.messages("diary")] == ["again"] * 3


async def test_paused_resumed_and_deleted(studio: Studio, kept: Schedules, clock: Clock) -> None:
    await kept.add("* * * * *", asks("hi"), missed="all", name="s")
    assert (await kept.pause("s")).paused
    assert (await kept.pause("s")).paused
    clock.now = START + 10 * MINUTE
    await kept.tick()
    assert await begun(studio) == []
    resumed = await kept.resume("s")
    assert (resumed.paused, resumed.next_at) == (False, START + 11 * MINUTE)
    assert await kept.resume("s") == resumed
    clock.now = START + 11 * MINUTE
    await kept.tick()
    assert [tick_of(run) for run in await begun(studio)] == [START + 11 * MINUTE]
    await kept.delete("s")
    clock.now = START + 12 * MINUTE
    await kept.tick()
    assert len(await begun(studio)) == 1
    for work in (kept.get, kept.pause, kept.resume, kept.delete):
        with pytest.raises(NotFound, match="no schedule 's'"):
            await work("s")


async def test_a_schedule_made_anew_under_an_old_name_is_another_one(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    await kept.add("* * * * *", asks("one"), name="s")
    clock.now = START + MINUTE
    await kept.tick()
    await kept.delete("s")
    clock.now = START + 1
    await kept.add("* * * * *", asks("two"), name="s")
    clock.now = START + MINUTE
    await kept.tick()
    assert len(await begun(studio)) == 2


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"cron": "61 * * * *"}, InvalidInput, "bad minute"),
        ({"zone": "Mars/Base"}, InvalidInput, "Unknown time zone 'Mars/Base'"),
        ({"missed": "most"}, InvalidInput, "skip, one or all"),
        ({"name": " "}, InvalidInput, "1 to 100 characters"),
        ({"name": "two\nlines"}, InvalidInput, "1 to 100 characters"),
        ({"request": RunRequest(resume="yes")}, InvalidInput, "needs an input"),
        ({"request": RunRequest(input={"messages": []})}, InvalidInput, "no messages"),
        ({"request": asks("hi", graph="ecoh")}, NotFound, "Did you mean 'echo'"),
        ({"request": asks("hi", thread_id="gone")}, NotFound, "no thread 'gone'"),
        ({"request": asks("hi", options=RunOptions(tools=["saw"]))}, NotFound, "Unknown tool 'saw'"),
        ({"request": asks("hi", caller=Caller(scopes=frozenset()))}, PermissionRefused, "runs:write"),
        ({"request": asks("hi", caller=Caller(tenant_id="other"))}, InvalidInput, "of tenant 'other'"),
    ],
)
async def test_what_cannot_begin_is_refused_when_it_is_made(
    kept: Schedules, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    given: dict[str, Any] = {"cron": "0 9 * * *", "request": asks("hi"), "name": "s"} | change
    cron, request = given.pop("cron"), given.pop("request")
    with pytest.raises(error, match=said):
        await kept.add(cron, request, **given)
    assert await kept.list() == []


async def test_a_name_is_taken_once_and_made_where_none_is_given(kept: Schedules) -> None:
    await kept.add("0 9 * * *", asks("hi"), name="s")
    with pytest.raises(Conflict, match="'s' already"):
        await kept.add("0 9 * * *", asks("hi"), name="s")
    made = await kept.add("0 9 * * *", asks("hi"))
    assert len(made.name) == 8


async def test_a_schedule_whose_graph_is_gone_is_paused_and_the_others_go_on(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    await kept.add("* * * * *", asks("hi", graph="fail"), name="broken")
    await kept.add("* * * * *", asks("hi"), name="whole")
    gate = Gate(studio.database, graphs=["echo"], default_graph="echo", on_accepted=lambda _job: None)
    later = Schedules(studio.database, gate, LOCAL_TENANT, clock=clock)
    clock.now = START + MINUTE
    await later.tick()
    broken, whole = await later.list()
    assert (broken.paused, broken.last_run_id) == (True, None)
    assert broken.error is not None
    assert broken.error.startswith("Unknown graph 'fail'.")
    assert (whole.paused, whole.error) == (False, None)
    assert [run.run_id for run in await begun(studio)] == [whole.last_run_id]
    assert (await kept.resume("broken")).error is None


async def test_a_schedule_whose_thread_was_deleted_is_paused(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    thread = (await studio.submit("hi")).thread_id
    await kept.add("* * * * *", asks("go on", thread_id=thread), name="s")
    await studio.records.delete_thread(thread)
    clock.now = START + MINUTE
    await kept.tick()
    made = await kept.get("s")
    assert made.paused
    assert made.error is not None
    assert thread in made.error


async def test_a_busy_thread_costs_one_tick_and_no_more(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    busy = await studio.submit("hi")
    request = asks("go on", thread_id=busy.thread_id, multitask="reject")
    await kept.add("* * * * *", request, name="s")
    clock.now = START + MINUTE
    await kept.tick()
    made = await kept.get("s")
    assert (made.paused, made.last_run_id, made.next_at) == (False, None, START + 2 * MINUTE)
    assert made.error is not None
    assert "busy" in made.error
    change = sa.update(runs).values(status="success")
    await studio.database.write(lambda c: c.execute(change))
    clock.now = START + 2 * MINUTE
    await kept.tick()
    made = await kept.get("s")
    assert made.error is None
    assert [run.run_id for run in await begun(studio)] == [busy.run_id, made.last_run_id]


async def test_scopes_are_looked_at_again_at_every_tick(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    """What stands in the row is what counts, whoever changed it."""
    made = await kept.add("* * * * *", asks("hi"), name="s")
    assert made.request is not None
    poorer = made.request.model_copy(update={"caller": Caller(scopes=frozenset({"threads:read"}))})
    change = sa.update(schedules).values(request=poorer.model_dump_json())
    await studio.database.write(lambda c: c.execute(change))
    clock.now = START + MINUTE
    await kept.tick()
    assert await begun(studio) == []
    paused = await kept.get("s")
    assert paused.paused
    assert paused.error is not None
    assert "runs:write" in paused.error


async def test_tenants_see_their_own_and_every_tenant_is_served(
    studio: Studio, kept: Schedules, clock: Clock
) -> None:
    other = Schedules(studio.database, studio.gate, "other", clock=clock)
    await kept.add("* * * * *", asks("mine"), name="s")
    await other.add("* * * * *", asks("theirs", caller=Caller(tenant_id="other")), name="s")
    await other.pause("s")
    assert [s.paused for s in await kept.list()] == [False]
    await other.resume("s")
    clock.now = START + MINUTE
    await kept.tick()
    assert {run.tenant_id for run in await begun(studio)} == {LOCAL_TENANT, "other"}


async def test_without_another_clock_it_is_the_databases(studio: Studio) -> None:
    plain = Schedules(studio.database, studio.gate, LOCAL_TENANT)
    await plain.add("* * * * *", asks("hi"), name="s")
    await plain.tick()
    assert await begun(studio) == []
    change = sa.update(schedules).values(next_at=schedules.c.next_at - MINUTE)
    await studio.database.write(lambda c: c.execute(change))
    await plain.tick()
    assert len(await begun(studio)) == 1


async def test_in_an_encrypted_database_the_request_is_not_to_be_read(
    settings: Settings, clock: Clock
) -> None:
    pytest.importorskip("cryptography", reason="the extra motet[encrypt] is not installed")
    settings = settings.replace(storage__encryption_key=Secret("a key of some length"))
    database = Database(settings.storage)
    try:
        prepare(database, settings.storage)
        gate = Gate(database, graphs=["echo"], default_graph="echo", on_accepted=lambda _job: None)
        kept = Schedules(database, gate, LOCAL_TENANT, clock=clock)
        await kept.add("* * * * *", asks("a secret"), name="s")
        stored = database.read_sync(lambda c: c.execute(sa.select(schedules.c.request)).scalar_one())
        assert stored.startswith("~")
        clock.now = START + MINUTE
        await kept.tick()
        assert (await kept.get("s")).last_run_id
        change = sa.update(schedules).values(request="~" + stored[5:])
        await database.write(lambda c: c.execute(change))
        clock.now = START + 2 * MINUTE
        await kept.tick()
        row = database.read_sync(lambda c: c.execute(sa.select(schedules)).one())
        assert row.paused
        assert "table schedules, row s" in row.error
    finally:
        database.close()


async def test_one_that_is_damaged_is_listed_with_the_others_and_can_be_deleted(
    studio: Studio, kept: Schedules
) -> None:
    good = await kept.add("* * * * *", asks("hi"), name="good")
    await kept.add("* * * * *", asks("hi"), name="bad")
    change = sa.update(schedules).where(schedules.c.name == "bad").values(request='{"input"')
    await studio.database.write(lambda c: c.execute(change))
    bad, other = await kept.list()
    assert other == good
    assert (bad.name, bad.request) == ("bad", None)
    assert bad.error == "The request of schedule 'bad' cannot be read."
    await kept.delete("bad")
    assert await kept.list() == [good]
