"""Nothing is begun while the event loop is late, and nothing is put off for ever."""

import asyncio
import contextlib
import time

from motet.runs.calm import LATE_S, until_calm


async def hold(turns: int, done: list[int]) -> None:
    """Hold the loop in so many turns, each longer than a short one."""
    for turn in range(turns):
        time.sleep(LATE_S * 1.5)  # noqa: ASYNC251  # that is what is waited for
        done.append(turn)
        await asyncio.sleep(0)


async def test_a_loop_with_nothing_to_do_is_calm() -> None:
    async with asyncio.timeout(60):
        await until_calm(longest_s=600)


async def test_a_late_loop_is_waited_for() -> None:
    done = list[int]()
    holding = asyncio.create_task(hold(8, done))
    await until_calm(longest_s=60)
    assert len(done) == 8
    await holding


async def test_a_loop_that_stays_late_is_not_waited_for_for_ever() -> None:
    done = list[int]()
    holding = asyncio.create_task(hold(10_000, done))
    await until_calm(longest_s=0.1)
    holding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await holding
    assert 0 < len(done) < 10_000
