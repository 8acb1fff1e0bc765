"""An encrypted database: what is on disk, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from encrypted_home import (
    NAMES,
    NEW,
    OLD,
    SAID,
    opened,
    put,
    read,
    read_all,
    rows,
    scripted,
    talk,
    values,
    with_key,
)

from motet import RunRequest, Settings, build_app
from motet.errors import EncryptionMismatch, StateCorrupt
from motet.memory.checkpoints import MotetSaver
from motet.storage.check import check_storage
from motet.storage.encryption import SEALED, Sealed
from motet.storage.engine import Database
from motet.storage.seal import load_seal

pytest.importorskip("cryptography", reason="the extra motet[encrypt] is not installed")


async def test_nothing_that_was_said_stands_in_an_encrypted_column(plain: Settings) -> None:
    encrypted = with_key(plain, OLD)
    await talk(encrypted)
    not_written = {"channel_values", "assistant_versions"}  # by a talk
    for sealed in SEALED:
        found = values(encrypted, sealed)
        if sealed.column.table.name not in not_written:
            assert found, sealed
        for value in found:
            data = value.encode() if isinstance(value, str) else value
            assert SAID.encode() not in data
            assert data[:1] in (b"\x02", b"~")
    assert SAID in str(await read(encrypted))


async def test_the_same_words_are_there_without_encryption(plain: Settings) -> None:
    """So the test above can fail."""
    await talk(plain)
    jobs = next(sealed for sealed in SEALED if sealed.column.name == "job")
    assert SAID in values(plain, jobs)[0]


@pytest.mark.parametrize("key", ["", NEW], ids=["missing", "wrong"])
async def test_a_missing_or_wrong_key_is_one_line_and_changes_nothing(plain: Settings, key: str) -> None:
    encrypted = with_key(plain, OLD)
    await talk(encrypted)
    before = [values(encrypted, sealed) for sealed in SEALED]
    other = with_key(plain, key)
    with pytest.raises(EncryptionMismatch) as caught:
        await talk(other)
    said = "is encrypted: set MOTET_ENCRYPTION_KEY" if not key else "not among those given"
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert not any(word in caught.value.message for word in (OLD, NEW))
    assert [values(encrypted, sealed) for sealed in SEALED] == before
    [_, finding] = check_storage(other)
    assert not finding.ok
    assert said in finding.detail


async def test_a_key_for_a_database_that_is_not_encrypted_is_refused(plain: Settings) -> None:
    await talk(plain)
    with pytest.raises(EncryptionMismatch, match="run 'motet storage encrypt' once"):
        await talk(with_key(plain, OLD))
    await talk(plain)


# Tampering

CHANGES: dict[str, Callable[[Any], Any]] = {
    "plain": lambda value: "{}" if isinstance(value, str) else b"\x01" + bytes(40),
    "empty": lambda value: "" if isinstance(value, str) else b"",
    "cut": lambda value: value[:-4],
    "mark": lambda value: value[:1] + value[1:2] * (len(value) - 1),
}


@pytest.mark.parametrize(
    "sealed",
    [sealed for sealed in SEALED if sealed.column.name != "job"],
    ids=lambda sealed: f"{sealed.column.table.name}.{sealed.column.name}",
)
async def test_a_changed_value_is_refused_by_name(settings: Settings, tmp_path: Path, sealed: Sealed) -> None:
    encrypted = with_key(scripted(settings, tmp_path), OLD)
    await talk(encrypted)
    for key, value in rows(encrypted, sealed)[:2]:
        for change in CHANGES.values():
            put(encrypted, sealed, key, change(value))
            with pytest.raises(StateCorrupt, match=f"table {sealed.column.table.name}, row"):
                await read(encrypted)
        put(encrypted, sealed, key, value)
    await read(encrypted)


async def test_a_run_whose_job_was_changed_is_not_begun(settings: Settings, tmp_path: Path) -> None:
    encrypted = with_key(scripted(settings, tmp_path), OLD)
    words = {"messages": [{"role": "user", "content": SAID}]}
    async with build_app(encrypted) as app:
        await app.submit(RunRequest.model_validate({"input": words, "graph": "chat"}))
    jobs = SEALED[NAMES.index("runs.job")]
    [(key, _)] = rows(encrypted, jobs)
    put(encrypted, jobs, key, json.dumps({"input": "forged"}))
    async with build_app(encrypted) as app:
        assert await app._rooms.queue.claim("somebody") is None
        [run] = await app.records.runs()
    assert run.status == "error"
    assert run.error is not None
    assert "not encrypted" in run.error["message"]


async def test_rows_tables_threads_and_tenants_cannot_be_swapped(settings: Settings, tmp_path: Path) -> None:
    encrypted = with_key(scripted(settings, tmp_path), OLD)

    await talk(encrypted, "one")
    await talk(encrypted, "two")
    for name in (
        "checkpoints.body",
        "list_items.value",
        "checkpoint_dictionaries.value",
        "events.event",
        "store_items.value",
    ):
        sealed = SEALED[NAMES.index(name)]
        found = rows(encrypted, sealed)
        (key_of_one, of_one), (key_of_two, of_two) = found[0], found[-1]
        put(encrypted, sealed, key_of_one, of_two)
        put(encrypted, sealed, key_of_two, of_one)
        with pytest.raises(StateCorrupt):
            await read_all(encrypted)
        put(encrypted, sealed, key_of_one, of_one)
        put(encrypted, sealed, key_of_two, of_two)
        await read(encrypted, "one")
    items, bodies = SEALED[NAMES.index("list_items.value")], SEALED[NAMES.index("checkpoints.body")]
    (key, item), body = rows(encrypted, items)[0], values(encrypted, bodies)[0]
    put(encrypted, items, key, body)
    with pytest.raises(StateCorrupt):
        await read(encrypted, "one")
    put(encrypted, items, key, item)
    for column, value in (("thread_id", "three"), ("tenant_id", "theirs")):
        with opened(encrypted) as connection:
            connection.execute(
                sa.text(f"UPDATE checkpoint_scopes SET {column} = :v WHERE thread_id = 'two'"), {"v": value}
            )
            connection.execute(
                sa.text(f"UPDATE checkpoint_dictionaries SET {column} = :v WHERE thread_id = 'two'"),
                {"v": value},
            )
        if column == "thread_id":
            with pytest.raises(StateCorrupt):
                await read(encrypted, "three")
            with opened(encrypted) as connection:
                for table in ("checkpoint_scopes", "checkpoint_dictionaries"):
                    connection.execute(
                        sa.text(f"UPDATE {table} SET thread_id = 'two' WHERE thread_id = 'three'")
                    )
    database = Database(encrypted.storage)
    saver = MotetSaver(database, load_seal(encrypted.storage), tenant_id="theirs")
    with pytest.raises(StateCorrupt):
        await saver.aget_tuple({"configurable": {"thread_id": "two", "checkpoint_ns": ""}})
    database.close()
