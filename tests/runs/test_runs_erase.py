"""A memory's words leave the log; the events and their numbers stay. On each database, encrypted or not."""

from collections.abc import Iterator

import pytest
from studio import Studio

from motet.events import MemoryWritten, Notice, RunCompleted
from motet.runs.erase import erase_memories
from motet.secret import Secret
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare


@pytest.fixture(params=["sqlite", "postgresql", "encrypted"])
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    """A fresh database of each kind; the studio works on it."""
    storage = settings.storage
    if request.param == "postgresql":
        storage = settings.replace(storage__database_url=request.getfixturevalue("postgres_url")).storage
    if request.param == "encrypted":
        storage = settings.replace(storage__encryption_key=Secret("a key that is long enough")).storage
    database = Database(storage)
    try:
        prepare(database, storage)
        yield database
    finally:
        database.close()


async def test_the_words_are_gone_and_all_else_is_as_it_was(studio: Studio, database: Database) -> None:
    await studio.submit("hi")
    claim = await studio.queue.claim("w1")
    assert claim is not None
    job = claim.job
    told = [
        MemoryWritten(memory_id="m1", text="用户住在杭州。", before="用户住在苏州。"),
        MemoryWritten(memory_id="m2", text="another"),
        Notice(text="about m1: 杭州"),
        RunCompleted(output={}),
    ]
    await studio.log.append(claim, told)
    before = await studio.log.read(job.tenant_id, job.run_id)
    forgotten = {(job.run_id, "m1"), ("no such run", "m2"), ("", "m1")}
    await database.write(lambda c: erase_memories(c, "another tenant", {(job.run_id, "m1")}))
    assert await studio.log.read(job.tenant_id, job.run_id) == before
    await database.write(lambda c: erase_memories(c, job.tenant_id, forgotten))
    after = await studio.log.read(job.tenant_id, job.run_id)
    assert [r.seq for r in after] == [r.seq for r in before]
    changed = [new.event for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [MemoryWritten(memory_id="m1", text="", before="")]
