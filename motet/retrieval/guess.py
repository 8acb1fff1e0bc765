"""Which encoding bytes are in that do not say it: judged by what their text would be in each.

What does not live here: byte order marks, what a document declares, and UTF-8 (`decode`).

Nearly any bytes are valid in several of these encodings, so that a text counts only when it looks like one of its
language. Bytes that look like none are better refused than stored as signs that nobody finds again.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_CHARS = 64 * 1024

MOST = 0.7
"""Share of the characters beyond ASCII that have to be common ones of the language."""

MIN_HANGUL = 10
"""Fewer could be Chinese by chance."""


def guess(data: bytes) -> str | None:
    """Return the text in the encoding that it looks most like; None when it looks like none.

    Known are GB18030, Big5, Shift-JIS, EUC-JP, EUC-KR and Windows-1252.
    """
    japanese = _read(data, "cp932", _looks_japanese) or _read(data, "euc_jp", _looks_japanese)
    if japanese is not None:
        return japanese
    korean = _read(data, "cp949", _looks_korean)
    if korean is not None:
        return korean
    simplified, traditional = _strict(data, "gb18030"), _strict(data, "big5")
    shares = _simplified_share(simplified), _traditional_share(traditional)
    if max(shares) >= MOST:
        return simplified if shares[0] >= shares[1] else traditional
    return _read(data, "cp1252", _looks_western)


def _read(data: bytes, encoding: str, looks: Callable[[str], bool]) -> str | None:
    text = _strict(data, encoding)
    return text if text is not None and looks(text) else None


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _beyond(text: str) -> list[str]:
    return [character for character in text[:SAMPLE_CHARS] if character > "\x7f"]


def _looks_japanese(text: str) -> bool:
    """Say whether there is enough kana; half-width kana is what other encodings look like in Shift-JIS."""
    beyond = _beyond(text)
    kana = sum("\u3041" <= character <= "\u30fe" for character in beyond)
    half = sum("\uff61" <= character <= "\uff9f" for character in beyond)
    return bool(beyond) and kana >= len(beyond) * 0.15 and half <= len(beyond) * 0.1


def _looks_korean(text: str) -> bool:
    """Say whether nearly all is hangul, in words: Chinese in GB2312, read so, is hangul and hanja without blanks."""
    beyond = _beyond(text)
    hangul = sum("\uac00" <= character <= "\ud7a3" for character in beyond)
    han = sum("\u4e00" <= character <= "\u9fff" or character >= "\uf900" for character in beyond)
    return (
        hangul >= MIN_HANGUL
        and hangul >= (hangul + han) * 0.95
        and text[:SAMPLE_CHARS].count(" ") * 8 >= hangul
    )


def _simplified_share(text: str | None) -> float:
    """Return the share of characters that are of GB2312.

    Western accents read as GB18030 become rare characters, since a letter after them is taken as their second
    half; real Chinese text is nearly all of GB2312.
    """
    beyond = _beyond(text or "")
    return sum(_bytes_in(character, "gb2312") != b"" for character in beyond) / len(beyond) if beyond else 0.0


def _traditional_share(text: str | None) -> float:
    """Return the share of characters that are among Big5's common ones; 0.0 where most stand alone.

    A single accent with the letter after it, as in `20°C`, is a common character of Big5 too.
    """
    beyond = _beyond(text or "")
    neighbours = sum(one > "\x7f" < other for one, other in pairwise((text or "")[:SAMPLE_CHARS]))
    if not beyond or neighbours * 2 < len(beyond):
        return 0.0
    return sum(b"\xa1" <= _bytes_in(c, "big5")[:1] <= b"\xc6" for c in beyond) / len(beyond)


def _bytes_in(character: str, encoding: str) -> bytes:
    try:
        return character.encode(encoding)
    except UnicodeEncodeError:
        return b""


def _looks_western(text: str) -> bool:
    """Say whether letters with accents are the smaller part: in other scripts all letters lie beyond ASCII."""
    sample = text[:SAMPLE_CHARS]
    accented = sum(character > "\x7f" for character in sample if character.isalpha())
    plain = sum(character <= "\x7f" for character in sample if character.isalpha())
    signs = sum(character > "\x7f" and not character.isalpha() for character in sample)
    return accented <= max(plain, 3) and signs <= max(plain, 8)
