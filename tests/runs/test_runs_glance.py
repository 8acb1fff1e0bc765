"""A glance at the newest conversations tells what the records tell, or that it cannot tell."""

import dataclasses
from dataclasses import replace

import sqlalchemy as sa
from cryptography.fernet import Fernet
from studio import Studio

from motet.events import RunCompleted, RunInterrupted
from motet.runs.glance import newest_threads
from motet.secret import Secret
from motet.storage.tables import thread_tags, threads


async def filled(studio: Studio) -> None:
    """Conversations of every status, tagged and not, two used at the same time, one partly rewound."""
    ids: list[str] = []
    for number, event in enumerate(
        [RunCompleted(output={}), RunInterrupted(), None, RunCompleted(output={})]
    ):
        ids.append((await studio.submit(f"问题 {number}", metadata={"n": number})).thread_id)
        claim = await studio.queue.claim("w1") if event is not None else None
        if claim is not None and event is not None:
            await studio.log.append(claim, [event])
    of = threads.c.thread_id
    tags = [{"tenant_id": "local", "thread_id": ids[1], "tag": tag} for tag in ("work", "draft")]
    await studio.database.write(lambda c: c.execute(sa.insert(thread_tags), tags))
    for number, thread_id in enumerate(ids):
        values = {"updated_at": 1000.0 + max(number, 1), "ttl_s": 60.0 if number else None}
        change = sa.update(threads).where(of == thread_id).values(**values)
        await studio.database.write(lambda c, change=change: c.execute(change))
    rewound = sa.update(threads).where(of == ids[0]).values(last_message_seq=6, rewound_messages=2)
    await studio.database.write(lambda c: c.execute(rewound))


async def test_a_glance_tells_what_the_records_tell(studio: Studio) -> None:
    await filled(studio)
    for limit in (10, 2):
        seen = newest_threads(studio.settings.storage, limit=limit)
        told = [record.model_dump(mode="json") for record in await studio.records.threads(limit=limit)]
        if studio.database.dialect != "sqlite":
            assert (
                newest_threads(replace(studio.settings.storage, database_url=studio.database.url), limit=2)
                is None
            )
            return
        assert seen is not None
        assert [dataclasses.asdict(one) for one in seen] == told
    assert {one["status"] for one in told} | {"idle", "interrupted"} == {"idle", "interrupted", "busy"}
    assert newest_threads(studio.settings.storage, limit=10, tenant_id="other") == []


async def test_what_a_glance_cannot_tell_is_left_to_the_records(studio: Studio) -> None:
    if studio.database.dialect != "sqlite":
        return
    there = studio.settings.storage
    assert newest_threads(there, limit=1) == []
    key = Secret(Fernet.generate_key().decode())
    assert newest_threads(replace(there, encryption_key=key), limit=1) is None
    assert newest_threads(replace(there, database_url="sqlite:////nowhere/motet.db"), limit=1) is None
    assert newest_threads(replace(there, database_url=f"{there.database_url}?mode=ro"), limit=1) is None
    older = sa.text("UPDATE alembic_version SET version_num = '0012'")
    await studio.database.write(lambda c: c.execute(older))
    assert newest_threads(there, limit=1) is None
    foreign = there.home / "foreign.db"
    foreign.write_text("no database")
    assert newest_threads(replace(there, database_url=f"sqlite:///{foreign}"), limit=1) is None
