"""Encryption: only what was encrypted for a row, with a key that is known, is read from it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import ExtraMissing, SettingInvalid
from motet.secret import Secret
from motet.settings import StorageSettings
from motet.storage.cipher import OVERHEAD_BYTES, Cipher, Unreadable, load_cipher

needs_cryptography = pytest.mark.skipif(
    importlib.util.find_spec("cryptography") is None, reason="the extra motet[encrypt] is not installed"
)

OLD, NEW = "an old key of some length", "a new key of some length"
PLACE = b"tenant table row"


@needs_cryptography
@given(st.binary(max_size=200))
def test_encrypted_bytes_come_back_and_cannot_be_read(data: bytes) -> None:
    cipher = Cipher([OLD])
    blob = cipher.encrypt(data, PLACE)
    assert len(blob) == len(data) + OVERHEAD_BYTES
    assert cipher.decrypt(blob, PLACE) == data
    assert cipher.decrypt(memoryview(blob), PLACE) == data  # pyright: ignore[reportArgumentType]
    assert len(data) < 4 or data not in blob
    assert cipher.encrypt(data, PLACE) != blob


@needs_cryptography
def test_every_changed_bit_and_every_cut_is_refused() -> None:
    cipher = Cipher([OLD, NEW])
    blob = cipher.encrypt(b"some data", PLACE)
    for bit in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(Unreadable):
            cipher.decrypt(bytes(changed), PLACE)
    for size in range(len(blob)):
        with pytest.raises(Unreadable):
            cipher.decrypt(blob[:size], PLACE)


@needs_cryptography
def test_a_blob_is_good_for_its_place_and_its_key_only() -> None:
    blob = Cipher([OLD]).encrypt(b"data", PLACE)
    with pytest.raises(Unreadable, match="changed or moved"):
        Cipher([OLD]).decrypt(blob, b"another place")
    with pytest.raises(Unreadable, match="unknown key"):
        Cipher([NEW]).decrypt(blob, PLACE)


@needs_cryptography
def test_keys_rotate() -> None:
    before, during, after = Cipher([OLD]), Cipher([OLD, NEW]), Cipher([NEW])
    assert during.decrypt(before.encrypt(b"1", PLACE), PLACE) == b"1"
    assert after.decrypt(during.encrypt(b"2", PLACE), PLACE) == b"2"
    assert during.key_ids == [before.newest_id, after.newest_id]


@needs_cryptography
def test_two_keys_of_one_short_name_are_both_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.storage.cipher._short_id", lambda _key: b"xx")
    blob = Cipher([OLD]).encrypt(b"1", PLACE)
    assert Cipher([OLD, NEW]).decrypt(blob, PLACE) == b"1"
    with pytest.raises(Unreadable, match="changed or moved"):
        Cipher([NEW]).decrypt(blob, PLACE)


@pytest.mark.parametrize("keys", [[], [""], ["short"], [OLD, "short"]])
def test_a_short_key_is_refused_and_not_shown(keys: list[str]) -> None:
    with pytest.raises(SettingInvalid, match="at least 16 characters") as caught:
        Cipher(keys)
    assert "short" not in caught.value.message


# Where keys come from


@needs_cryptography
def test_keys_come_from_the_setting_or_from_a_file(tmp_path: Path) -> None:
    assert load_cipher(StorageSettings()) is None
    by_setting = load_cipher(StorageSettings(encryption_key=Secret(f"{OLD}, {NEW}")))
    file = tmp_path / "keys.txt"
    file.write_text(f"{OLD}\n\n{NEW}\n")
    by_file = load_cipher(StorageSettings(encryption_key_file=str(file)))
    assert by_setting is not None
    assert by_file is not None
    assert by_setting.key_ids == by_file.key_ids == Cipher([OLD, NEW]).key_ids


@pytest.mark.parametrize("text", [",", " ", "short", f"{OLD},short"])
def test_a_key_that_is_none_never_means_no_encryption(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="16 characters"):
        load_cipher(StorageSettings(encryption_key=Secret(text)))
    if text.strip():
        (tmp_path / "keys").write_text(text.replace(",", "\n") if len(text) > 1 else "x")
        with pytest.raises(SettingInvalid, match="16 characters"):
            load_cipher(StorageSettings(encryption_key_file=str(tmp_path / "keys")))


def test_a_key_file_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, said in (("missing", "No such file"), ("empty", "is empty"), ("binary", "not text")):
        with pytest.raises(SettingInvalid, match=f"{name}.*{said}"):
            load_cipher(StorageSettings(encryption_key_file=str(tmp_path / name)))
    with pytest.raises(SettingInvalid, match="both set"):
        load_cipher(StorageSettings(encryption_key=Secret(OLD), encryption_key_file=str(empty)))


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("cryptography"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'motet\[encrypt\]'"):
        Cipher([OLD])
