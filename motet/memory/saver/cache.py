"""What a saver keeps in memory from one call to the next.

What does not live here: lists (`memory.saver.lists`). All of it is a copy of rows that never change, so another process
cannot make it wrong; that the rows are still there is checked where something is built upon them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from motet.memory.saver.lists import ListCache

if TYPE_CHECKING:
    from collections.abc import Hashable

    from langgraph.checkpoint.base import ChannelVersions

    from motet.memory.saver.bodies import Body, Dictionary, Ref
    from motet.memory.saver.rows import ScopeName

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

ITEMS_A_THREAD = 40
"""List items that a conversation usually has in memory: the window of Motet's own graphs."""

THREADS = range(8, 256)
"""Fewest and most threads of which the small things are kept in memory."""


class Lru(Generic[K, V]):
    """A small cache, thread-safe; the entry that was used longest ago goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the entry, None when it is not there."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep an entry."""
        with self._lock:
            self._held[key] = value
            self._held.move_to_end(key)
            if len(self._held) > self._size:
                self._held.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Head:
    """What a put needs to know of the checkpoint that it grows from."""

    scope_key: int
    last_log: int
    """Number of the scope's newest log then; there may be newer ones."""
    versions: ChannelVersions
    refs: dict[str, Ref]
    run_id: Any
    dictionary: Dictionary | None

    @classmethod
    def of(cls, scope_key: int, last_log: int, body: Body, dictionary: Dictionary | None) -> Head:
        """Take it from a body."""
        run_id = body.metadata.get("run_id")
        return cls(scope_key, last_log, dict(body.versions), body.refs, run_id, dictionary)


class Memory:
    """What one saver has in memory. Everything in it is immutable in the database, so it is never stale.

    `max_items` bounds all of it: the list items themselves, and as many heads and dictionaries as threads whose
    items there is room for.
    """

    def __init__(self, *, max_items: int) -> None:
        kept = min(max(max_items // ITEMS_A_THREAD, THREADS.start), THREADS.stop)
        self.heads: Lru[tuple[ScopeName, str], Head] = Lru(kept)
        self.dictionaries: Lru[tuple[str, str, int], Dictionary] = Lru(kept)
        self.latest: Lru[tuple[str, str, str], Dictionary] = Lru(kept)
        """The last dictionary of a thread's graph, by its namespace without the ids of tasks."""
        self.lists = ListCache(max_items)
