"""Work that is done to its end, whoever waits for it."""

import asyncio
from typing import Any

import pytest

from motet.runs.whole import to_its_end


async def test_what_need_not_wait_is_done_by_the_task_that_asks() -> None:
    seen = list[Any]()

    async def work() -> int:
        seen.append(asyncio.current_task())
        return 42

    loop = asyncio.get_running_loop()
    loop.call_soon(seen.append, "a round of the loop")
    assert await to_its_end(work()) == 42
    assert seen == [asyncio.current_task()]


async def test_what_waits_goes_on_where_it_was() -> None:
    steps = list[str]()
    go: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        await asyncio.sleep(0)
        steps.append("slept")
        async with asyncio.timeout(60):
            steps.append(await go)
        async with asyncio.timeout(60):
            await asyncio.sleep(0.001)
        return "done"

    asyncio.get_running_loop().call_later(0.001, go.set_result, "told")
    assert await to_its_end(work()) == "done"
    assert steps == ["slept", "told"]


@pytest.mark.parametrize("late", [False, True])
async def test_what_goes_wrong_is_told(late: bool) -> None:
    async def work() -> None:
        if late:
            await asyncio.sleep(0.001)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await to_its_end(work())


async def test_an_awaited_thing_that_fails_fails_inside_the_work() -> None:
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await told
        except OSError:
            return "caught"
        return "not reached"

    asyncio.get_running_loop().call_soon(told.set_exception, OSError())
    assert await to_its_end(work()) == "caught"


@pytest.mark.parametrize("fails", [False, True])
async def test_it_is_done_also_when_whoever_asked_is_cancelled_twice(fails: bool) -> None:
    noise = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, told: noise.append(told))
    begun, go, done = asyncio.Event(), asyncio.Event(), list[bool]()

    async def work() -> None:
        begun.set()
        await go.wait()
        done.append(True)
        if fails:
            raise ValueError

    asking = asyncio.create_task(to_its_end(work()))
    await begun.wait()
    for _ in range(2):
        asking.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not asking.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert done == [True]
    assert noise == []
