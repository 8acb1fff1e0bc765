"""How a run's events reach the log: in order, in few writes, and with every refusal told."""

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

import pytest
from studio import Studio

from motet.errors import LeaseLost, StorageError
from motet.events import Event, MessageDelta, Notice, Recorded, RunCompleted, RunStarted, Usage
from motet.runs.queue.base import Claim
from motet.runs.request import RunJob, RunOptions
from motet.runs.writer import MAX_WAITING, EventWriter

CLAIM = Claim(
    RunJob(tenant_id="t", owner_id="o", run_id="r", thread_id="t", graph="g", input={}, options=RunOptions()),
    fence=1,
    attempt=1,
)


class SlowLog:
    """Keeps what is written, write by write; `error` is raised instead, once it is set."""

    def __init__(self, delay_s: float = 0.01) -> None:
        self.delay_s = delay_s
        self.writes: list[list[Event]] = []
        self.error: Exception | None = None
        self.written = asyncio.Event()
        self.busy = 0

    async def append(self, claim: Claim, events: Sequence[Event]) -> list[Recorded]:
        async def alone(_: Any) -> list[Recorded]:
            await asyncio.sleep(self.delay_s)
            return []

        return await self.append_with(claim, events, alone)

    async def append_with(self, claim: Claim, events: Sequence[Event], store: Any) -> Any:
        assert claim is CLAIM
        assert self.busy == 0, "two writes of one run at once"
        self.busy += 1
        try:
            value = await store("the events")
            if self.error is not None:
                raise self.error
            self.writes.append(list(events))
            self.written.set()
        finally:
            self.busy -= 1
        return value

    @property
    def events(self) -> list[Event]:
        return [event for write in self.writes for event in write]


def writer_on(log: Any) -> EventWriter:
    return EventWriter(log, CLAIM)


def notice(n: int) -> Notice:
    return Notice(text=str(n))


def piece(text: str, message_id: str = "m1") -> MessageDelta:
    return MessageDelta(message_id=message_id, text=text)


USAGE = Usage(model="m", input_tokens=1, output_tokens=1, duration_s=0.1)


async def test_events_keep_their_order_and_share_writes() -> None:
    log = SlowLog()
    writer = writer_on(log)
    for n in range(100):
        await writer.put(notice(n))
    await writer.flush()
    assert log.events == [notice(n) for n in range(100)]
    assert len(log.writes) <= 3  # the first at once, the rest together


async def test_what_nobody_waits_for_is_written_with_what_comes_next() -> None:
    log = SlowLog(delay_s=0)
    writer = writer_on(log)
    await writer.put(RunStarted(attempt=1))
    await asyncio.sleep(0)
    assert log.writes == []
    await writer.put(USAGE)
    await writer.flush(RunCompleted(output={}))
    assert log.writes == [[RunStarted(attempt=1), USAGE, RunCompleted(output={})]]


@pytest.mark.parametrize("event", [piece("Hi"), notice(1)], ids=["a first piece", "another event"])
async def test_what_somebody_waits_for_takes_it_along_at_once(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motet.runs.writer.COMPANY_S", 60)
    log = SlowLog(delay_s=0)
    writer = writer_on(log)
    await writer.put(RunStarted(attempt=1))
    await asyncio.sleep(0)
    await writer.put(event)
    await asyncio.wait_for(log.written.wait(), 10)
    assert log.writes == [[RunStarted(attempt=1), event]]


async def test_what_nobody_waits_for_is_written_in_the_end() -> None:
    log = SlowLog(delay_s=0)
    await writer_on(log).put(USAGE)
    await asyncio.wait_for(log.written.wait(), 10)
    assert log.writes == [[USAGE]]


async def test_put_does_not_wait_for_the_disk_and_flush_does() -> None:
    log = SlowLog(delay_s=0.1)
    writer = writer_on(log)
    await asyncio.wait_for(writer.put(notice(1)), 0.05)
    assert log.events == []
    await writer.flush()
    assert log.events == [notice(1)]


async def test_flush_takes_last_words_and_may_be_repeated() -> None:
    log = SlowLog()
    writer = writer_on(log)
    await writer.flush()
    await writer.flush(notice(1), notice(2))
    await writer.flush()
    await writer.put(notice(3))
    await writer.flush(RunCompleted(output={}))
    assert log.events == [notice(1), notice(2), notice(3), RunCompleted(output={})]


async def test_pieces_of_one_message_that_wait_together_become_one() -> None:
    log = SlowLog()
    writer = writer_on(log)
    await writer.put(notice(0))
    await asyncio.sleep(0)  # the first write is under way
    for event in (
        piece("A "),
        piece("mo"),
        piece("tet"),
        piece("x", "m2"),
        piece("!"),
        notice(1),
        piece("?"),
    ):
        await writer.put(event)
    await writer.flush()
    merged = [piece("A motet"), piece("x", "m2"), piece("!"), notice(1), piece("?")]
    assert log.events == [notice(0), *merged]


async def test_a_stream_of_pieces_is_written_a_few_times_and_whole() -> None:
    log = SlowLog(delay_s=0.0)
    writer = writer_on(log)
    for n in range(60):
        await writer.put(piece(f"{n} "))
        await asyncio.sleep(0.002)
    await writer.flush()
    text = "".join(event.text for event in log.events if isinstance(event, MessageDelta))
    assert text == "".join(f"{n} " for n in range(60))
    assert len(log.writes) < 20


async def test_what_matters_does_not_wait_for_the_pause_between_pieces() -> None:
    log = SlowLog(delay_s=0.0)
    writer = writer_on(log)
    await writer.put(piece("a"))
    await asyncio.sleep(0.005)  # written; the pause begins
    await writer.put(notice(1))
    await asyncio.sleep(0.01)
    assert log.events == [piece("a"), notice(1)]
    await writer.flush()


async def test_a_refused_write_reaches_whoever_speaks_next() -> None:
    log = SlowLog(delay_s=0.0)
    log.error = LeaseLost("another worker's")
    writer = writer_on(log)
    await writer.put(notice(1))
    await asyncio.sleep(0.01)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            await writer.put(notice(2))
    with pytest.raises(LeaseLost):
        await writer.flush(RunCompleted(output={}))
    assert log.events == []


async def test_flush_tells_that_its_own_write_was_refused() -> None:
    log = SlowLog()
    log.error = StorageError("full")
    with pytest.raises(StorageError):
        await writer_on(log).flush(notice(1))


async def test_a_graph_that_speaks_faster_than_the_disk_waits() -> None:
    log = SlowLog(delay_s=0.02)
    writer = writer_on(log)
    for n in range(2 * MAX_WAITING + 10):
        await writer.put(notice(n))
        assert len(writer._waiting) <= MAX_WAITING + 1
    await writer.flush()
    assert len(log.events) == 2 * MAX_WAITING + 10


async def test_many_speakers_at_once_lose_nothing() -> None:
    log = SlowLog(delay_s=0.001)
    writer = writer_on(log)

    async def speak(first: int) -> None:
        for n in range(first, first + 50):
            await writer.put(notice(n))
            await asyncio.sleep(0)

    await asyncio.gather(*(speak(first) for first in (0, 100, 200)))
    await writer.flush()
    told = [int(event.text) for event in log.events if isinstance(event, Notice)]
    assert sorted(told) == [n for first in (0, 100, 200) for n in range(first, first + 50)]
    for first in (0, 100, 200):  # each speaker's words in order
        mine = [n for n in told if first <= n < first + 50]
        assert mine == sorted(mine)


async def test_with_the_real_log_what_was_flushed_can_be_read_elsewhere(studio: Studio) -> None:
    accepted = await studio.submit("hi")
    claim = await studio.queue.claim("w1")
    assert claim is not None
    writer = EventWriter(studio.log, claim)
    for n in range(20):
        await writer.put(notice(n))
    await writer.flush()
    read = await studio.log.read("local", accepted.run_id, after=2)
    assert [recorded.event for recorded in read] == [notice(n) for n in range(20)]
    await studio.queue.release(claim)
    with pytest.raises(LeaseLost):
        await writer.flush(notice(21))


class Disk:
    """Stores checkpoints: `begun` when one is on its way, done as soon as `go` is set."""

    def __init__(self, *, fast: bool = True) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.carried: list[Any] = []
        if fast:
            self.go.set()

    async def store(self, work: Any) -> str:
        self.begun.set()
        await self.go.wait()
        self.carried.append(work)
        return "stored"


async def test_a_checkpoint_carries_what_waits_and_then_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.runs.writer.COMPANY_S", 60)
    log, disk = SlowLog(delay_s=0), Disk()
    writer = writer_on(log)
    writer.hold([notice(2)])
    await writer.put(RunStarted(attempt=1))
    await writer.put(USAGE)
    assert await writer.carry(disk.store) == "stored"
    assert log.writes == [[RunStarted(attempt=1), USAGE, notice(2)]]
    await writer.release()  # nothing is left
    await writer.flush(RunCompleted(output={}))
    assert log.events == [RunStarted(attempt=1), USAGE, notice(2), RunCompleted(output={})]
    assert disk.carried == ["the events"]


async def test_a_first_piece_does_not_wait_for_company_that_a_checkpoint_took_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("motet.runs.writer.COMPANY_S", 60)
    log = SlowLog(delay_s=0)
    writer = writer_on(log)
    await writer.put(RunStarted(attempt=1))
    await asyncio.sleep(0)  # its write waits for company
    await writer.carry(Disk().store)
    log.written.clear()
    await writer.put(piece("Hi"))
    await asyncio.wait_for(log.written.wait(), 10)
    assert log.writes == [[RunStarted(attempt=1)], [piece("Hi")]]


async def test_a_checkpoint_that_has_nothing_to_carry_is_stored_without() -> None:
    log, disk = SlowLog(), Disk()
    assert await writer_on(log).carry(disk.store) == "stored"
    assert (log.writes, disk.carried) == ([], [None])


async def test_what_is_held_is_not_told_before_its_checkpoint_or_its_release() -> None:
    log = SlowLog(delay_s=0)
    writer = writer_on(log)
    writer.hold([notice(1)])
    await writer.put(notice(0))
    await writer.flush()
    assert log.events == [notice(0)]
    await writer.release()
    await writer.flush()
    assert log.events == [notice(0), notice(1)]


async def test_what_is_released_after_a_write_has_ended_is_written_by_itself() -> None:
    log = SlowLog(delay_s=0)
    writer = writer_on(log)
    await writer.put(notice(0))
    await asyncio.wait_for(log.written.wait(), 10)
    await asyncio.sleep(0.01)  # the write has ended
    log.written.clear()
    writer.hold([notice(1)])
    await writer.release()
    await asyncio.wait_for(log.written.wait(), 10)
    assert log.events == [notice(0), notice(1)]


async def test_a_checkpoint_waits_for_the_write_before_it_and_the_next_write_for_the_checkpoint() -> None:
    log, disk = SlowLog(delay_s=0.02), Disk(fast=False)
    writer = writer_on(log)
    await writer.put(notice(0))
    await asyncio.sleep(0)  # its write is under way
    writer.hold([notice(1)])
    carrying = asyncio.create_task(writer.carry(disk.store))
    await disk.begun.wait()
    assert log.events == [notice(0)]
    await writer.put(notice(2))
    await asyncio.sleep(0.01)
    assert log.events == [notice(0)]
    disk.go.set()
    await carrying
    await writer.flush()
    assert log.events == [notice(0), notice(1), notice(2)]


async def test_a_checkpoint_that_fails_loses_nothing_and_tells_nothing_that_it_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("motet.runs.writer.COMPANY_S", 60)
    log, disk = SlowLog(delay_s=0), Disk()
    writer = writer_on(log)
    await writer.put(USAGE)
    writer.hold([notice(1)])
    log.error = StorageError("full")
    with pytest.raises(StorageError):
        await writer.carry(disk.store)
    log.error = None
    await writer.flush(notice(2))
    assert log.events == [USAGE, notice(2)]
    await writer.carry(disk.store)
    assert log.events == [USAGE, notice(2), notice(1)]


async def test_a_checkpoint_is_stored_to_its_end_when_the_run_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("motet.runs.writer.COMPANY_S", 60)
    log, disk = SlowLog(delay_s=0), Disk(fast=False)
    writer = writer_on(log)
    await writer.put(USAGE)
    carrying = asyncio.create_task(writer.carry(disk.store))
    await disk.begun.wait()
    carrying.cancel()
    await asyncio.sleep(0.01)
    assert not carrying.done()
    disk.go.set()
    with pytest.raises(asyncio.CancelledError):
        await carrying
    await writer.flush(notice(1))
    assert log.events == [USAGE, notice(1)]  # once


async def test_a_refusal_that_nobody_asks_for_is_no_noise() -> None:
    """A worker that lost its run goes on to others; asyncio would print a stack trace for the write."""
    noise = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, told: noise.append(told))
    log = SlowLog(delay_s=0)
    log.error = LeaseLost("another worker's")
    writer = writer_on(log)
    await writer.put(notice(1))
    for _ in range(20):
        await asyncio.sleep(0)
    del writer, log
    gc.collect()
    assert noise == []
