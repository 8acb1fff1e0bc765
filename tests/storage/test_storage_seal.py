"""Seals: only what Motet wrote for a row is read from it."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import SettingInvalid, StateCorrupt, StorageError
from motet.secret import Secret
from motet.settings import StorageSettings
from motet.storage.seal import OVERHEAD_BYTES, Seal, derive_keys, load_seal, read_key_file

if TYPE_CHECKING:
    from pathlib import Path

ROW = ("local", "list_items", "thread", 1, b"key")


@pytest.fixture
def seal() -> Seal:
    return Seal([b"k" * 32])


@given(st.binary(max_size=100))
def test_sealed_bytes_come_back(data: bytes) -> None:
    seal = Seal([b"k" * 32])
    blob = seal.seal(data, *ROW)
    assert len(blob) == len(data) + OVERHEAD_BYTES
    assert seal.unseal(blob, *ROW) == data
    assert seal.unseal(memoryview(blob), *ROW) == data  # pyright: ignore[reportArgumentType]


def test_every_changed_bit_is_refused(seal: Seal) -> None:
    blob = seal.seal(b"some data", *ROW)
    for bit in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(StateCorrupt):
            seal.unseal(bytes(changed), *ROW)
    for size in range(len(blob)):
        with pytest.raises(StateCorrupt):
            seal.unseal(blob[:size], *ROW)


@pytest.mark.parametrize(
    "place",
    [
        ("other", "list_items", "thread", 1, b"key"),
        ("local", "checkpoints", "thread", 1, b"key"),
        ("local", "list_items", "threads", 1, b"key"),
        ("local", "list_items", "thread", 2, b"key"),
        ("local", "list_items", "thread", 1, b"kez"),
        ("local", "list_items", "thread1", b"key"),
        ("locall", "ist_items", "thread", 1, b"key"),
        ("local", "list_items", "thread", 1, b"key", ""),
    ],
)
def test_a_seal_is_good_for_its_row_only(seal: Seal, place: tuple[str, str]) -> None:
    blob = seal.seal(b"data", *ROW)
    with pytest.raises(StateCorrupt):
        seal.unseal(blob, *place)


def test_the_message_names_table_and_row(seal: Seal) -> None:
    with pytest.raises(StateCorrupt, match="table list_items, row thread/1/6b6579, is not loaded") as caught:
        seal.unseal(b"x" * 30, *ROW)
    assert caught.value.fields == {"table": "list_items", "row": "thread/1/6b6579"}


def test_keys_rotate() -> None:
    old, new = b"o" * 32, b"n" * 32
    before, during, after = Seal([old]), Seal([old, new]), Seal([new])
    first = before.seal(b"1", *ROW)
    assert during.unseal(first, *ROW) == b"1"
    second = during.seal(b"2", *ROW)
    assert after.unseal(second, *ROW) == b"2"
    for reader, blob in ((before, second), (after, first)):
        with pytest.raises(StateCorrupt, match="unknown key"):
            reader.unseal(blob, *ROW)


@pytest.mark.parametrize("keys", [[], [b""], [b"short"], [b"k" * 32, b"short"]])
def test_a_short_key_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(SettingInvalid, match="16 bytes"):
        Seal(keys)


def test_a_secret_text_makes_keys() -> None:
    assert derive_keys("one long enough secret, another long secret") == [
        *derive_keys("one long enough secret"),
        *derive_keys("another long secret"),
    ]
    for short in ("", " , ", "short", "long enough to be a key, short"):
        with pytest.raises(SettingInvalid, match="16 characters"):
            derive_keys(short)


def test_the_key_comes_from_the_setting_or_from_the_home(tmp_path: Path) -> None:
    by_setting = load_seal(StorageSettings(home=tmp_path, secret_key=Secret("a long enough secret")))
    assert not (tmp_path / "keys").exists()
    by_file = load_seal(StorageSettings(home=tmp_path))
    again = load_seal(StorageSettings(home=tmp_path))
    assert again.unseal(by_file.seal(b"x", *ROW), *ROW) == b"x"
    with pytest.raises(StateCorrupt):
        by_setting.unseal(by_file.seal(b"x", *ROW), *ROW)


def test_the_key_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "keys"
    found: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: found.append(read_key_file(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(keys == found[0] for keys in found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["keys"]
    path.chmod(0o644)
    assert read_key_file(path) == found[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_line_is_the_newest_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    old = read_key_file(path)
    path.write_text(path.read_text() + "ab" * 32 + "\n")
    assert read_key_file(path) == [*old, bytes.fromhex("ab" * 32)]


@pytest.mark.parametrize("content", ["", "no hex", "abc", "文"])
def test_a_broken_key_file_is_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content, "utf-8")
    with pytest.raises(SettingInvalid, match="backup"):
        read_key_file(path)
    assert path.read_text("utf-8") == content


def test_a_key_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    with pytest.raises(StorageError, match="cannot be used"):
        read_key_file(tmp_path / "keys")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        read_key_file(tmp_path / "file" / "keys")


def test_the_key_never_shows(tmp_path: Path) -> None:
    assert "long enough" not in repr(
        StorageSettings(home=tmp_path, secret_key=Secret("a long enough secret"))
    )
    with pytest.raises(SettingInvalid) as caught:
        derive_keys("long enough to be a key, short")
    assert "short" not in caught.value.message
