"""A database is encrypted later, and keys change; nothing is lost, and no old bytes stay in the file."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from encrypted_home import NAMES, NEW, OLD, SAID, opened, put, read, rows, talk, values, with_key

from motet.errors import Conflict, EncryptionMismatch, InvalidInput, StateCorrupt
from motet.settings import Settings
from motet.storage.encryption import SEALED
from motet.storage.engine import Database
from motet.storage.reseal import encrypt_storage, rekey_storage
from motet.storage.schema import prepare
from motet.storage.seal import load_seal
from motet.storage.tables import tool_calls

pytest.importorskip("cryptography", reason="the extra motet[encrypt] is not installed")


async def test_a_database_is_encrypted_later_and_goes_on(plain: Settings) -> None:
    await talk(plain)
    before = await read(plain)
    with pytest.raises(InvalidInput, match="MOTET_ENCRYPTION_KEY"):
        encrypt_storage(plain.storage)
    encrypted = with_key(plain, OLD)
    with pytest.raises(Conflict, match="is not encrypted"):
        rekey_storage(encrypted.storage)
    assert await read(plain) == before
    assert encrypt_storage(encrypted.storage) > 20
    assert await read(encrypted) == before
    with pytest.raises(EncryptionMismatch):
        await read(plain)
    await talk(encrypted, "two")
    assert encrypt_storage(encrypted.storage) > 20  # again: nothing is lost
    assert await read(encrypted) == before


async def test_digests_of_older_versions_are_keyed(plain: Settings) -> None:
    await talk(plain)
    with opened(plain) as connection:
        connection.execute(sa.update(tool_calls).values(arguments_digest="0" * 64))
    encrypted = with_key(plain, OLD)
    encrypt_storage(encrypted.storage)
    with opened(plain) as connection:
        [stored] = connection.execute(sa.select(tool_calls.c.arguments_digest)).scalars().all()
    assert stored == load_seal(encrypted.storage).digests("0" * 64)[0]
    assert stored != "0" * 64


async def test_keys_change(plain: Settings) -> None:
    await talk(with_key(plain, OLD))
    both = with_key(plain, f"{OLD},{NEW}")
    before = await read(both)
    await talk(both, "two")
    with pytest.raises(EncryptionMismatch):
        await read(with_key(plain, NEW))
    assert rekey_storage(both.storage) > 20
    assert await read(with_key(plain, NEW)) == before
    with pytest.raises(EncryptionMismatch):
        await read(with_key(plain, OLD))
    with pytest.raises(EncryptionMismatch):
        encrypt_storage(with_key(plain, OLD).storage)


def test_what_was_deleted_is_not_in_the_file_any_more(settings: Settings) -> None:
    """Freed pages hold old bytes until the file is written anew."""
    home = settings.storage.home
    database = Database(settings.storage)
    prepare(database, settings.storage)
    columns = "tenant_id, thread_id, owner_id, graph, created_at, updated_at"
    runs = "tenant_id, run_id, thread_id, owner_id, graph, job, status, created_at"

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.text(f"INSERT INTO threads ({columns}) VALUES ('t', 'a', 'me', 'chat', 1, 1)"))
        job = json.dumps({"said": SAID * 2000})
        statement = f"INSERT INTO runs ({runs}) VALUES ('t', 'r', 'a', 'me', 'chat', :job, 'success', 1)"
        connection.execute(sa.text(statement), {"job": job})

    database.write_sync(work)
    database.close()

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in home.glob("motet.db*"))

    assert SAID.encode() in on_disk()
    encrypt_storage(with_key(settings, OLD).storage)
    assert SAID.encode() not in on_disk()


async def test_a_value_that_was_changed_stops_it_and_nothing_is_written(plain: Settings) -> None:
    await talk(plain)
    bodies = SEALED[NAMES.index("checkpoints.body")]
    (key, body), *_ = rows(plain, bodies)
    put(plain, bodies, key, body[:-1] + bytes([body[-1] ^ 1]))
    before = [values(plain, sealed) for sealed in SEALED]
    with pytest.raises(StateCorrupt, match="table checkpoints"):
        encrypt_storage(with_key(plain, OLD).storage)
    assert [values(plain, sealed) for sealed in SEALED] == before
    put(plain, bodies, key, body)
    await read(plain)


async def test_a_new_key_does_not_take_in_what_is_plain(plain: Settings) -> None:
    """Only `encrypt` does, which somebody runs on a database that they know."""
    await talk(with_key(plain, OLD))
    events = SEALED[NAMES.index("events.event")]
    (key, _), *_ = rows(plain, events)
    put(plain, events, key, "{}")
    with pytest.raises(StateCorrupt, match=r"table events.*not encrypted"):
        rekey_storage(with_key(plain, f"{OLD},{NEW}").storage)
    assert encrypt_storage(with_key(plain, f"{OLD},{NEW}").storage) > 20


async def test_it_goes_through_more_rows_than_a_page(
    plain: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(plain)
    before = await read(plain)
    whole = sum(len(values(plain, sealed)) for sealed in SEALED)
    monkeypatch.setattr("motet.storage.reseal._ROWS", 3)
    assert encrypt_storage(with_key(plain, OLD).storage) == whole
    assert await read(with_key(plain, OLD)) == before
