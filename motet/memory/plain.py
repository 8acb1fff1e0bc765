"""Plain values that msgpack has no word for, each with a code: one row of a table a type.

What does not live here: classes (`memory.classes`). The codes are stored: a row may be added, none may change.
"""

from __future__ import annotations

import re
from collections import deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import ormsgpack

from motet.errors import InvalidInput, StateCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT, _PAIRS = 30, 31
_INT64 = range(-(2**63), 2**64)


class _Row(NamedTuple):
    code: int
    type: type
    spell: Callable[[Any], Any]
    """To something simpler that can be stored."""
    read: Callable[[Any], Any]
    """From it."""


def encode(value: Any) -> tuple[int, Any] | None:
    """Return the value's code and a simpler value, None when it is not in the table."""
    row = _BY_TYPE.get(type(value))
    if row is None:
        row = next((row for row in _ROWS if row.type in _FAMILIES and isinstance(value, row.type)), None)
    return None if row is None else (row.code, row.spell(value))


def decode(code: int, data: bytes, loads: Callable[[bytes], Any]) -> Any:
    """Return the value of a code and its content's bytes, which `loads` reads.

    Raises:
        StateCorrupt: There is no such code.
    """
    if code == _TEXT:
        return data.decode("utf-8", "surrogatepass")
    if code == _PAIRS:
        return dict(loads(data))
    row = _BY_CODE.get(code)
    if row is None:
        raise StateCorrupt(f"A stored value has the unknown code {code}.")
    return row.read(loads(data))


def spell_out(value: Any, encode_other: Callable[[Any], Any], dumps: Callable[[Any], bytes]) -> Any:
    """Return the value with what msgpack refuses written another way: lone surrogates, odd keys of mappings.

    Raises:
        InvalidInput: From `encode_other`, for a value that cannot be stored.
    """
    if isinstance(value, str):
        return value if _sound(value) else ormsgpack.Ext(_TEXT, value.encode("utf-8", "surrogatepass"))
    if value is None or isinstance(value, (bool, float, bytes)) or (type(value) is int and value in _INT64):
        return value
    if isinstance(value, list):
        return [spell_out(item, encode_other, dumps) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        if all(_sound(key) for key, _ in pairs):
            return {key: spell_out(item, encode_other, dumps) for key, item in pairs}
        return ormsgpack.Ext(_PAIRS, dumps([[key, item] for key, item in pairs]))
    return encode_other(value)


def _sound(key: Any) -> bool:
    """Say whether msgpack takes it as a key."""
    if type(key) is int:
        return key in _INT64
    if isinstance(key, str):
        try:
            key.encode()
        except UnicodeEncodeError:
            return False
        return True
    return key is None or isinstance(key, (bool, float, bytes))


def _spell_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _spell_time(value: datetime | time) -> list[Any]:
    zone = value.tzinfo
    if zone is not None and not isinstance(zone, (timezone, ZoneInfo)):
        offset = value.utcoffset()
        zone = None if offset is None else timezone(offset)
    return [value.replace(tzinfo=None, fold=0).isoformat(), zone, value.fold]


def _read_datetime(content: Any) -> datetime:
    return datetime.fromisoformat(content[0]).replace(tzinfo=content[1], fold=content[2])


def _read_time(content: Any) -> time:
    return time.fromisoformat(content[0]).replace(tzinfo=content[1], fold=content[2])


def _spell_array(value: Any) -> list[Any]:
    if value.dtype.hasobject:
        raise InvalidInput(
            "A NumPy array of Python objects cannot be stored; make it an array of numbers or text."
        )
    return [value.dtype.str, list(value.shape), np.ascontiguousarray(value).tobytes()]


def _read_array(content: Any) -> Any:
    dtype, shape, data = content
    return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape).copy()


_ROWS = (
    _Row(1, tuple, list, tuple),
    _Row(2, set, list, set),
    _Row(3, frozenset, list, frozenset),
    _Row(4, deque, lambda v: [list(v), v.maxlen], lambda c: deque(c[0], c[1])),
    _Row(5, int, _spell_int, lambda c: int.from_bytes(c, "big", signed=True)),
    _Row(6, datetime, _spell_time, _read_datetime),
    _Row(7, date, date.isoformat, date.fromisoformat),
    _Row(8, time, _spell_time, _read_time),
    _Row(9, timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda c: timedelta(*c)),
    _Row(10, timezone, lambda v: v.utcoffset(None), timezone),
    _Row(11, ZoneInfo, lambda v: v.key, ZoneInfo),
    _Row(12, UUID, lambda v: v.bytes, lambda c: UUID(bytes=c)),
    _Row(13, Decimal, str, Decimal),
    _Row(14, PurePath, str, Path),
    _Row(15, re.Pattern, lambda v: [v.pattern, v.flags], lambda c: re.compile(c[0], c[1])),
    _Row(16, np.ndarray, _spell_array, _read_array),
    _Row(17, np.generic, lambda v: _spell_array(np.asarray(v)), lambda c: _read_array(c)[()]),
    _Row(18, IPv4Address, str, IPv4Address),
    _Row(19, IPv4Interface, str, IPv4Interface),
    _Row(20, IPv4Network, str, IPv4Network),
    _Row(21, IPv6Address, str, IPv6Address),
    _Row(22, IPv6Interface, str, IPv6Interface),
    _Row(23, IPv6Network, str, IPv6Network),
)
NESTED = frozenset({_PAIRS, *(row.code for row in _ROWS)})
"""Codes whose content is a serialized value itself."""

_BY_TYPE = {row.type: row for row in _ROWS}
_BY_CODE = {row.code: row for row in _ROWS}
_FAMILIES = (PurePath, np.generic, np.ndarray)
"""Types whose subclasses are stored as they are; elsewhere a subclass is another class."""
