"""Texts are plain without a key, and good for their row only with one."""

from __future__ import annotations

import pytest

from motet.errors import StateCorrupt
from motet.storage.engine import Database
from motet.storage.texts import MARK, Texts, texts_of

ROW = ("local", "events", "run", 3)


def test_without_a_key_a_text_stays_as_it_is() -> None:
    texts = Texts(None)
    assert texts.close('{"a": "文"}', *ROW) == '{"a": "文"}'
    assert texts.open('{"a": "文"}', *ROW) == '{"a": "文"}'
    with pytest.raises(StateCorrupt, match=r"table events, row run/3.*MOTET_ENCRYPTION_KEY is not set"):
        texts.open(f"{MARK}AAAA", *ROW)


def test_a_connection_knows_how_its_database_keeps_texts(database: Database) -> None:
    assert database.read_sync(texts_of) is database.texts
    assert database.write_sync(texts_of) is database.texts


def test_with_a_key_only_its_own_row_opens_it() -> None:
    pytest.importorskip("cryptography")
    from motet.storage.cipher import Cipher

    texts = Texts(Cipher(["a key of some length"]))
    stored = texts.close('{"said": "密码 \ud800"}', *ROW)
    assert stored.isascii()
    assert "said" not in stored
    assert texts.open(stored, *ROW) == '{"said": "密码 \ud800"}'
    for place in (("other", "events", "run", 3), ("local", "runs", "run", 3), ("local", "events", "run", 4)):
        with pytest.raises(StateCorrupt, match="changed or moved"):
            texts.open(stored, *place)
    for changed in (
        '{"said": "x"}',
        "",
        MARK,
        stored + "=",
        stored[:-4],
        stored[1:],
        stored.replace("A", "é") + "é",
    ):
        with pytest.raises(StateCorrupt):
            texts.open(changed, *ROW)
    for at in range(1, len(stored)):
        letter = "B" if stored[at] == "A" else "A"
        with pytest.raises(StateCorrupt):
            texts.open(stored[:at] + letter + stored[at + 1 :], *ROW)
