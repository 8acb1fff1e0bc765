"""Lists as windows on append-only logs: what is new in a list, and what of it is stored already.

What does not live here: the database. A list is a few windows `(log_no, lo, hi)` one after the other. An item's
place is given once and its content never changes, so a place that was read once need not be read again. Appending
lengthens the last window, trimming the head moves its `lo`, an edit or a removal cuts a window in two, and a fork
begins a log of its own.

What is new is found by fingerprints of all that would be stored of an item, see `prints`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.memory.saver.bodies import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

Copy = tuple[dict[str, Any], Any]
"""A message's fields, and those that its class does not know, as they were when it was stored."""

MAX_WINDOWS = 32
"""A list in more pieces than this is written anew, in one."""


@dataclass(slots=True)
class KnownList:
    """A list whose items are in memory, each with its place and its fingerprint when it was stored."""

    windows: tuple[Window, ...]
    items: list[Any]
    prints: list[int]
    copies: list[Copy | None] = field(default_factory=list["Copy | None"])
    """Of the items, as they were then; [] where none were made."""

    def places(self) -> Iterator[tuple[Window, int]]:
        """Yield each window with the index of its first item."""
        at = 0
        for window in self.windows:
            yield window, at
            at += window.hi - window.lo

    def find(self, log_no: int, lo: int, hi: int) -> tuple[int, int, int] | None:
        """Return `(lo, hi, index)` of a stretch of a log that is in memory and begins earliest at `lo`."""
        best: tuple[int, int, int] | None = None
        for window, at in self.places():
            if window.log_no == log_no and window.lo < hi and window.hi > lo:
                begin = max(lo, window.lo)
                if best is None or begin < best[0]:
                    best = (begin, min(hi, window.hi), at + begin - window.lo)
        return best


@dataclass(slots=True)
class Plan:
    """How a list is to be stored."""

    windows: tuple[Window, ...]
    log_no: int
    """Log that the new items are appended to."""
    first_seq: int
    """Place of the first new item."""
    new: list[int]
    """Indexes in the list of the items to append, in order."""
    new_log: bool
    """Whether the log is to be made for this."""


def plan(known: KnownList | None, prints: list[int], next_log: int, *, fork: bool = False) -> Plan:
    """Find what is stored already of a list with these fingerprints, and where the rest goes.

    Args:
        known: The list that it grew from, None when there is none.
        prints: A fingerprint an item.
        next_log: Number for a new log, should there be one.
        fork: Put new items into a new log: another branch has the place after the last item.
    """
    runs = _runs(known.prints if known else [], prints)
    if len(runs) > MAX_WINDOWS:
        known, runs = None, [(None, 0, len(prints))]
    last = (
        max((window for window in known.windows), key=lambda w: (w.log_no, w.hi))
        if known and known.windows
        else None
    )
    new_log = fork or last is None
    log_no, first_seq = (next_log, 0) if last is None or fork else (last.log_no, last.hi)
    windows: list[Window] = []
    new: list[int] = []
    for source, begin, end in runs:
        if source is None:
            at = first_seq + len(new)
            windows.append(Window(log_no, at, at + end - begin))
            new.extend(range(begin, end))
        elif known:
            windows.extend(_cut(known, source, source + end - begin))
    joined = tuple(_joined(windows))
    if len(joined) > MAX_WINDOWS and known:
        return plan(None, prints, next_log)
    return Plan(joined, log_no, first_seq, new, new_log and bool(new))


def _runs(old: list[int], new: list[int]) -> list[tuple[int | None, int, int]]:
    """Cut the new list into stretches `(index in the old list or None, begin, end)`."""
    if new[: len(old)] == old:  # grown at the end, or the same
        kept: list[tuple[int | None, int, int]] = [(0, 0, len(old))] if old else []
        return [*kept, (None, len(old), len(new))] if len(new) > len(old) else kept
    where: dict[int, int] = {}
    for index, value in enumerate(old):
        where.setdefault(value, index)
    runs: list[tuple[int | None, int, int]] = []
    source: int | None = None
    begin = 0
    for index, value in enumerate(new):
        expected = -1 if source is None else source + index - begin
        if 0 <= expected < len(old) and old[expected] == value:
            continue
        found = where.get(value)
        if found is None and source is None and index:
            continue
        if index:
            runs.append((source, begin, index))
        source, begin = found, index
    return [*runs, (source, begin, len(new))] if new else []


def _cut(known: KnownList, begin: int, end: int) -> Iterator[Window]:
    """Yield the windows of the items `begin` to `end` of a known list."""
    for window, at in known.places():
        lo, hi = max(begin, at), min(end, at + window.hi - window.lo)
        if lo < hi:
            yield Window(window.log_no, window.lo + lo - at, window.lo + hi - at)


def _joined(windows: list[Window]) -> Iterator[Window]:
    """Join neighbours that go on where the one before ends."""
    held: Window | None = None
    for window in windows:
        if held and held.log_no == window.log_no and held.hi == window.lo:
            held = Window(held.log_no, held.lo, window.hi)
        else:
            if held:
                yield held
            held = window
    if held:
        yield held


class ListCache:
    """The last list of each channel, so that a put compares in memory and a load reads only what is new.

    Thread-safe. It holds at most `max_items` items in all; the list that was used longest ago goes first.
    """

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._held: OrderedDict[tuple[int, str], KnownList] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, scope_key: int, channel: str) -> KnownList | None:
        """Return the channel's list, whichever checkpoint it is of."""
        with self._lock:
            found = self._held.get((scope_key, channel))
            if found is not None:
                self._held.move_to_end((scope_key, channel))
            return found

    def put(self, scope_key: int, channel: str, known: KnownList) -> None:
        """Keep a list in place of the channel's last one."""
        with self._lock:
            old = self._held.pop((scope_key, channel), None)
            self._size += len(known.items) - (len(old.items) if old else 0)
            self._held[scope_key, channel] = known
            while self._size > self._max_items and self._held:
                _, dropped = self._held.popitem(last=False)
                self._size -= len(dropped.items)

    def drop(self, scope_key: int, channel: str) -> None:
        """Forget a channel's list."""
        with self._lock:
            old = self._held.pop((scope_key, channel), None)
            self._size -= len(old.items) if old else 0
