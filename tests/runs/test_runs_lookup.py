import asyncio
from typing import Any

import pytest
from studio import Studio

from motet.errors import Conflict, InvalidInput, NotFound
from motet.runs.lookup import Lookup
from motet.runs.request import Caller
from motet.runs.threads.making import MAX_METADATA_BYTES, Maker

ANN = Caller(tenant_id="local", owner_id="ann", scopes=frozenset({"threads:write"}))


async def test_threads_are_found_by_what_they_are(studio: Studio) -> None:
    await studio.work()
    lookup = Lookup(studio.database, "local")
    made: list[Any] = []
    for graph in ("echo", "fail", "ask"):
        # Each has ended before the next is made: SQLite's clock counts in milliseconds, and two in one have no order.
        made.append(await studio.submit("x", graph=graph))
        await studio.events(made[-1].run_id)
        await asyncio.sleep(0.002)
    done, bad, asks = made
    wait = await studio.submit("x", graph="wait")
    by_status = {
        status: [found.thread_id for found in await lookup.threads(status=status)]
        for status in ("idle", "error", "interrupted", "busy")
    }
    assert by_status == {
        "idle": [done.thread_id],
        "error": [bad.thread_id],
        "interrupted": [asks.thread_id],
        "busy": [wait.thread_id],
    }
    error = (await lookup.threads(status="error"))[0].error
    assert error is not None
    assert "no luck" in error["message"]
    assert await lookup.count_threads() == 4
    order = [
        found.thread_id
        for found in await lookup.threads(sort_by="created_at", ascending=True, limit=2, offset=1)
    ]
    assert order == [bad.thread_id, asks.thread_id]
    [run] = await lookup.runs(thread_id=asks.thread_id, statuses=["interrupted"])
    assert (run.record.run_id, run.job.input is not None) == (asks.run_id, True)
    assert await Lookup(studio.database, "local", owner_id="bob").threads() == []
    assert await Lookup(studio.database, "other").run(done.run_id) is None


async def test_threads_are_made_noted_and_anothers_are_not_there(studio: Studio) -> None:
    maker, lookup = Maker(studio.database, ANN), Lookup(studio.database, "local", owner_id="ann")
    thread_id = await maker.make(metadata={"topic": "和"})
    await maker.note(thread_id, {"mood": "good"})
    assert [found.metadata for found in await lookup.threads(metadata={"topic": "和"})] == [
        {"topic": "和", "mood": "good"}
    ]
    with pytest.raises(Conflict):
        await maker.make(thread_id=thread_id)
    assert await maker.make(thread_id=thread_id, keep=True) == thread_id
    other = Maker(studio.database, ANN.model_copy(update={"owner_id": "bob"}))
    with pytest.raises(NotFound):
        await other.note(thread_id, {})
    with pytest.raises(Conflict):
        await other.make(thread_id=thread_id, keep=True)
    with pytest.raises(InvalidInput, match="at most"):
        await maker.note(thread_id, {"x": "y" * MAX_METADATA_BYTES})


async def test_a_runs_record_is_forgotten_only_when_it_has_ended(studio: Studio) -> None:
    maker = Maker(studio.database, Caller())
    waiting = await studio.submit("x", graph="wait")
    with pytest.raises(Conflict, match="has not ended"):
        await maker.forget_run(waiting.run_id)
    await studio.queue.request_cancel("local", waiting.run_id)
    await maker.forget_run(waiting.run_id)
    assert await Lookup(studio.database, "local").run(waiting.run_id) is None
