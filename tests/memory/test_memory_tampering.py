"""Rows that the saver did not write are refused before they are parsed (S-02, S-05)."""

from __future__ import annotations

from typing import Any

import ormsgpack
import pytest
import sqlalchemy as sa
from conversation import KEY, ColdSaver, build, human, thread

from motet.errors import StateCorrupt
from motet.memory.checkpoints import MotetSaver
from motet.memory.serde import StrictSerializer
from motet.storage import tables as t
from motet.storage.seal import Seal, derive_keys

CALLED: list[str] = []

SEALED = [
    (t.checkpoints, "body"),
    (t.channel_values, "value"),
    (t.list_items, "value"),
    (t.checkpoint_writes, "value"),
    (t.checkpoint_dictionaries, "value"),
]


def canary(argument: str) -> str:
    CALLED.append(argument)
    return argument


GADGET = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb((__name__, "canary", "x"))))


def _set_all(saver: MotetSaver, table: Any, column: str, value: Any) -> None:
    with saver.database.engine.begin() as connection:
        connection.execute(sa.update(table).values({column: value}))


def _swap(saver: MotetSaver, column: Any, old: bytes, new: bytes) -> None:
    with saver.database.engine.begin() as connection:
        connection.execute(sa.update(column.table).where(column == old).values({column.name: new}))


async def _talk(saver: MotetSaver, config: Any) -> None:
    for turn in range(2):  # every kind of row is there after two turns
        await build(saver).ainvoke(human(turn), {**config, "metadata": {"run_id": f"run {turn} of somebody"}})


async def _read_everything(saver: MotetSaver) -> None:
    async for _ in saver.alist(thread()):
        pass


@pytest.mark.parametrize(("table", "column"), SEALED, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("blob", [GADGET, b"", b"\x01", b"\x01" + bytes(40), b"\x00" + GADGET], ids=range(5))
async def test_a_forged_row_is_refused_by_name_and_nothing_is_called(
    tmp_path: Any, table: Any, column: str, blob: bytes
) -> None:
    with ColdSaver.from_url(f"sqlite:///{tmp_path / 'x.db'}", secret_key=KEY) as saver:
        await _talk(saver, thread())
        await _read_everything(saver)
        _set_all(saver, table, column, blob)
        CALLED.clear()
        with pytest.raises(StateCorrupt, match=f"table {table.name}, row t/") as caught:
            await _read_everything(saver)
        assert CALLED == []
        assert caught.value.code == "corrupt_state"
        assert caught.value.fields["table"] == table.name


@pytest.mark.parametrize(("table", "column"), SEALED, ids=lambda value: getattr(value, "name", value))
async def test_a_flipped_bit_is_noticed(tmp_path: Any, table: Any, column: str) -> None:
    with ColdSaver.from_url(f"sqlite:///{tmp_path / 'x.db'}", secret_key=KEY) as saver:
        await _talk(saver, thread())
        with saver.database.engine.connect() as connection:
            blob: bytes = connection.execute(sa.select(table.c[column])).scalars().all()[0]
        for at in sorted({*range(24), *range(24, len(blob), 9), len(blob) - 1}):
            flipped = bytearray(blob)
            flipped[at] ^= 1 << (at % 8)
            _swap(saver, table.c[column], blob, bytes(flipped))
            with pytest.raises(StateCorrupt):
                await _read_everything(saver)
            _swap(saver, table.c[column], bytes(flipped), blob)
        await _read_everything(saver)


async def test_a_row_moved_to_another_thread_or_tenant_is_refused(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    for table, key, value in (
        (t.checkpoint_scopes, "thread_id", "t"),
        (t.checkpoint_scopes, "tenant_id", "mine"),
    ):
        with ColdSaver.from_url(url, secret_key=KEY) as saver:
            await saver.adelete_thread("t")
            await saver.adelete_thread("theirs")
            await _talk(saver, thread("theirs" if key == "thread_id" else "t"))
            _set_all(saver, t.checkpoint_dictionaries, key, value)
            _set_all(saver, table, key, value)
            mine = MotetSaver(
                saver.database, saver._seal, tenant_id="mine" if key == "tenant_id" else "local"
            )
            with pytest.raises(StateCorrupt):
                await mine.aget_tuple(thread())
            await mine.adelete_thread("t")


async def test_a_missing_row_is_an_error_and_not_an_empty_list(tmp_path: Any) -> None:
    for table in (t.list_items, t.channel_values, t.checkpoint_dictionaries):
        with ColdSaver.from_url(f"sqlite:///{tmp_path / table.name}.db", secret_key=KEY) as saver:
            await _talk(saver, thread())
            with saver.database.engine.begin() as connection:
                connection.execute(sa.delete(table))
            with pytest.raises(StateCorrupt, match="missing"):
                await saver.aget_tuple(thread())


async def test_another_key_reads_nothing_and_a_new_one_reads_the_old(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        await _talk(saver, thread())
    other = "another key of some length"
    with (
        MotetSaver.from_url(url, secret_key=other) as saver,
        pytest.raises(StateCorrupt, match="unknown key"),
    ):
        await saver.aget_tuple(thread())
    with MotetSaver.from_url(url, secret_key=f"{KEY}, {other}") as saver:
        await build(saver).ainvoke(human(1), thread())
    with MotetSaver.from_url(url, secret_key=KEY) as saver, pytest.raises(StateCorrupt, match="unknown key"):
        await saver.aget_tuple(thread())


async def test_a_well_sealed_gadget_is_not_called_either(tmp_path: Any) -> None:
    """Even somebody who has the key gets data, or an error."""
    with ColdSaver.from_url(f"sqlite:///{tmp_path / 'x.db'}", secret_key=KEY) as saver:
        await _talk(saver, thread())
        seal = Seal(derive_keys(KEY))
        table = t.list_items
        with saver.database.engine.begin() as connection:
            for log_no, seq in connection.execute(sa.select(table.c.log_no, table.c.seq)).all():
                blob = seal.seal(b"\x00" + GADGET, "local", table.name, "t", "", log_no, seq)
                here = sa.and_(table.c.log_no == log_no, table.c.seq == seq)
                connection.execute(sa.update(table).where(here).values(value=blob))
        CALLED.clear()
        with pytest.raises(StateCorrupt):
            await saver.aget_tuple(thread())
        assert CALLED == []


def test_the_canary_sings_when_called() -> None:
    CALLED.clear()
    canary("x")
    assert CALLED == ["x"]
    assert StrictSerializer().dumps(1) == b"\x01"
