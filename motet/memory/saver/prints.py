"""Tells what is new or changed among a list's items: by fingerprints, and by copies where that is enough.

What does not live here: where items are stored (`lists`). A fingerprint (`StrictSerializer.print_of`) is taken of an
item when it comes into the list. From then on the same object is compared with a copy of its fields, which shares
everything that cannot change: three to four times quicker, and a change in place is noticed all the same, wherever
it is. (Not noticed is a number that an equal one of another type replaces in place, 1 by True.)
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import BaseMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.memory.saver.lists import Copy, KnownList
    from motet.memory.serde import StrictSerializer

_FIELDS = operator.attrgetter("__dict__", "__pydantic_extra__")
_ATOMS = frozenset({str, int, float, bool, bytes, type(None)})
_NO_ITEMS: list[Any] = []
_NO_FIELDS: dict[str, Any] = {}
"""Stand in copies for the empty ones of messages, which most of them have several of; nobody changes these."""


def copy_of(item: Any) -> Copy | None:
    """Return a copy of a message's fields; None for anything else, and for fields that are not plain."""
    if not isinstance(item, BaseMessage):
        return None
    fields, extra = _FIELDS(item)
    try:
        return _frozen(fields), _frozen(extra)
    except TypeError:
        return None


def unchanged(items: Sequence[Any], copies: Sequence[Copy | None]) -> bool:
    """Say whether messages are still as they were copied; False also where that cannot be said."""
    try:
        return list(map(_FIELDS, items)) == copies
    except AttributeError:
        return False


def prints_of(serde: StrictSerializer, known: KnownList | None, items: list[Any]) -> list[int]:
    """Return a fingerprint an item, those that are known as far as the list begins with the same objects."""
    same = _same(known.items, items) if known else 0
    if known is None or not same or not unchanged(known.items[:same], known.copies[:same]):
        return [serde.print_of(item) for item in items]
    return [*known.prints[:same], *(serde.print_of(item) for item in items[same:])]


def copies_of(known: KnownList | None, items: list[Any], prints: list[int]) -> list[Copy | None]:
    """Return a copy an item, those that are known as far as the list begins with the same objects, unchanged."""
    same = _same(known.items, items) if known else 0
    if known is None or known.prints[:same] != prints[:same]:
        return [copy_of(item) for item in items]
    return [*known.copies[:same], *(copy_of(item) for item in items[same:])]


def is_clean(
    serde: StrictSerializer, items: list[Any], prints: list[int], copies: Sequence[Copy | None]
) -> bool:
    """Say whether nobody changed an item in place."""
    return unchanged(items, copies) or [serde.print_of(item) for item in items] == prints


def _same(old: list[Any], new: list[Any]) -> int:
    """Return how many objects two lists have in common at their beginning."""
    if all(map(operator.is_, old, new)):
        return min(len(old), len(new))
    return next(index for index, (one, other) in enumerate(zip(old, new, strict=False)) if one is not other)


def _frozen(value: Any) -> Any:
    """Copy what is plain and can change.

    Raises:
        TypeError: It is not plain.
    """
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        fields = cast("dict[Any, Any]", value)
        return {key: _frozen(field) for key, field in fields.items()} if fields else _NO_FIELDS
    if kind is list:
        return [_frozen(item) for item in value] if value else _NO_ITEMS
    raise TypeError
