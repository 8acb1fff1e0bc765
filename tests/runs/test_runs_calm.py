"""Nothing is begun while the event loop is late, and nothing is put off for ever."""

import asyncio
import contextlib
import time

from motet.runs.calm import LATE_S, Calm


async def hold(turns: int, done: list[int]) -> None:
    """Hold the loop in so many turns, each longer than a short one."""
    for turn in range(turns):
        time.sleep(LATE_S * 1.5)  # noqa: ASYNC251  # that is what is waited for
        done.append(turn)
        await asyncio.sleep(0)


async def test_a_loop_with_nothing_to_do_is_calm() -> None:
    async with asyncio.timeout(60):
        await Calm(longest_s=600).wait()


async def test_a_late_loop_is_waited_for() -> None:
    done = list[int]()
    holding = asyncio.create_task(hold(8, done))
    await Calm(longest_s=60).wait()
    assert len(done) == 8
    await holding


async def test_a_loop_that_stays_late_puts_work_off_once_and_not_each_piece() -> None:
    done, calm = list[int](), Calm(longest_s=0.2)
    holding = asyncio.create_task(hold(10_000, done))
    await calm.wait()
    turns = len(done)
    assert 2 < turns < 10_000
    for _ in range(5):
        await calm.wait()
    assert len(done) <= turns + 10  # each has looked once
    holding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await holding
    for _ in range(50):  # short turns: the next burst is waited for again
        await calm.wait()
    done.clear()
    holding = asyncio.create_task(hold(4, done))
    await calm.wait()
    assert len(done) > 1
    await holding
