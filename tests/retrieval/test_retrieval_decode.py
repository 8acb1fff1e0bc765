from pathlib import Path

import pytest

from motet.errors import DocumentUnreadable
from motet.retrieval.decode import clean, decode

CHINESE = "渡轮每天九点从码头出发，票价为四十元。"
FRENCH = "Le café est situé près de la gare, où l’on dîne très bien."

ACCENTS = "Un élève modèle, un général héroïque."  # each accent and the letter after it are valid GB18030


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-32"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (FRENCH, "utf-8"),
        (FRENCH, "cp1252"),
        (ACCENTS, "cp1252"),
        ("Plain words.\n", "utf-16-le"),
        ("Plain words.\n", "utf-16-be"),
    ],
)
def test_text_comes_back_whatever_its_encoding(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), Path("a.txt")) == text


def test_big_endian_mark_is_read() -> None:
    assert decode(b"\xfe\xff" + CHINESE.encode("utf-16-be"), Path("a.txt")) == CHINESE


def test_what_a_document_declares_comes_before_guessing() -> None:
    assert decode("тест".encode("cp1251"), Path("a.html"), declared="cp1251") == "тест"


def test_an_unknown_declared_encoding_is_passed_over() -> None:
    assert decode(b"words", Path("a.html"), declared="no-such-thing") == "words"


@pytest.mark.parametrize(
    "data",
    [b"\0" * 1000, b"hello\0world", bytes(range(256)) * 40, b"\xff\xfe\x00", b"\x01\x02\x03 text " * 50],
    ids=["NULs", "one NUL", "every byte", "half a pair", "control characters"],
)
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(DocumentUnreadable, match=r"a\.txt: it is not text .* UTF-8"):
        decode(data, Path("a.txt"))


def test_line_ends_become_one_newline() -> None:
    assert clean("a\r\nb\rc\u2028d\x0ce") == "a\nb\nc\nd\ne"


def test_what_nobody_sees_is_taken_out() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    assert clean(f"pay\u200b 4\u202e2\u202c{hidden}\ud800!") == "pay 42!"


def test_joiners_of_emoji_and_of_persian_stay() -> None:
    text = "👩\u200d👧 می\u200cخواهم"
    assert clean(text) == text


def test_a_mark_with_nothing_behind_it_is_an_empty_text() -> None:
    assert decode(b"\xef\xbb\xbf", Path("a.txt")) == ""


def test_a_declared_encoding_that_is_none_of_text_is_passed_over() -> None:
    assert decode(b"one..two", Path("a.html"), declared="idna") == "one..two"
