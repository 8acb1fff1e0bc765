"""What a task wrote and its step's checkpoint are one transaction; slow serializing holds nobody up."""

import asyncio
import threading
import time
from typing import Any

import pytest

from motet.memory.saver import together
from motet.memory.saver.pace import CAREFUL, QUICK_S, Pace
from motet.memory.saver.together import Together


class Transactions:
    """A database that keeps which work shared a transaction."""

    def __init__(self) -> None:
        self.made: list[list[str]] = []
        self.error: Exception | None = None

    async def jot(self, work: Any) -> Any:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.made.append([])
        return work(self.made[-1])


def note(name: str) -> Any:
    return lambda transaction: transaction.append(name) or name


@pytest.fixture
def database() -> Transactions:
    return Transactions()


@pytest.fixture
def writes(database: Transactions) -> Any:
    return Together(database)  # pyright: ignore[reportArgumentType]


async def test_what_waits_goes_first_and_in_the_same_transaction(
    writes: Together, database: Transactions
) -> None:
    waiting = [asyncio.create_task(writes.soon("here", note(name))) for name in ("a", "b")]
    elsewhere = asyncio.create_task(writes.soon("elsewhere", note("c")))
    await asyncio.sleep(0)
    assert await writes.now("here", note("checkpoint")) == "checkpoint"
    await asyncio.gather(*waiting)
    assert database.made[0] == ["a", "b", "checkpoint"]
    await elsewhere
    assert database.made[1:] == [["c"]]
    assert await writes.now("here", note("next")) == "next"
    assert database.made[-1] == ["next"]


async def test_what_waited_for_nothing_is_stored_alone(writes: Together, database: Transactions) -> None:
    await asyncio.gather(writes.soon("here", note("a")), writes.soon("here", note("b")))
    assert sorted(database.made) == [["a"], ["b"]]


async def test_both_hear_of_an_error(writes: Together, database: Transactions) -> None:
    database.error = RuntimeError("no")
    waiting = asyncio.create_task(writes.soon("here", note("a")))
    await asyncio.sleep(0)
    for done in (writes.now("here", note("checkpoint")), waiting, writes.soon("alone", note("b"))):
        with pytest.raises(RuntimeError, match="no"):
            await done


async def test_who_no_longer_waits_is_no_hindrance(
    writes: Together, database: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "WAIT_S", 60.0)
    waiting = asyncio.create_task(writes.soon("here", note("a")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await writes.now("here", note("checkpoint"))
    assert database.made == [["a", "checkpoint"]]  # the task had ended: what it wrote is kept


async def test_slow_work_goes_to_a_thread_and_comes_back_when_it_is_quick() -> None:
    pace, here = Pace(), threading.current_thread()

    def slow() -> threading.Thread:
        until = time.thread_time() + 2 * QUICK_S
        while time.thread_time() < until:
            pass
        return threading.current_thread()

    assert await pace.do(threading.current_thread) is here
    assert await pace.do(slow) is here
    assert await pace.do(slow) is not here
    where = [await pace.do(threading.current_thread) for _ in range(CAREFUL + 1)]
    assert here not in where[:-1]
    assert where[-1] is here


async def test_the_pace_passes_errors_on() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Pace().do(fail)


async def test_what_a_checkpoint_carries_comes_last_in_its_transaction(
    writes: Together, database: Transactions
) -> None:
    async def carry(store: Any) -> Any:
        return await store(note("told"))

    waiting = asyncio.create_task(writes.soon("here", note("a")))
    await asyncio.sleep(0)
    assert await writes.now("here", note("checkpoint"), carry) == "checkpoint"
    await waiting
    assert database.made == [["a", "checkpoint", "told"]]


async def test_a_checkpoint_with_nothing_to_carry_is_stored_as_ever(
    writes: Together, database: Transactions
) -> None:
    async def carry(store: Any) -> Any:
        return await store(None)

    assert await writes.now("here", note("checkpoint"), carry) == "checkpoint"
    assert database.made == [["checkpoint"]]
