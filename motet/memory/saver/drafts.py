"""What is on its way into the database: as LangGraph hands it over, and as it is written.

What does not live here: making and writing it (`memory.saver.saving`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.checkpoint.base import WRITES_IDX_MAP
from langgraph.checkpoint.serde.types import ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.base import ChannelVersions, Checkpoint

    from motet.memory.saver.bodies import Body, Dictionary, Ref
    from motet.memory.saver.cache import Head
    from motet.memory.saver.lists import KnownList
    from motet.memory.saver.rows import ScopeName


class Put(NamedTuple):
    """A checkpoint to store, as LangGraph hands it over."""

    scope: ScopeName
    parent_id: str | None
    checkpoint: Checkpoint
    metadata: dict[str, Any]
    new_versions: ChannelVersions


class Writes(NamedTuple):
    """What a task wrote, with its place."""

    scope: ScopeName
    checkpoint_id: str
    task_id: str
    task_path: str
    items: list[tuple[int, str, Any]]
    """`(idx, channel, value)`; a negative index is a special channel's."""


@dataclass(slots=True)
class ListDraft:
    """What a put adds to a list, and the list it becomes."""

    channel: str
    known: KnownList
    log_no: int
    rows: list[tuple[int, bytes]]
    """`(seq, sealed item)`."""


@dataclass(slots=True)
class Draft:
    """A put with everything serialized and sealed, as far as its assumptions hold."""

    put: Put
    parent: Head | None
    last_log: int
    fork: bool
    """Whether new list items go into new logs."""
    body: Body
    sealed_body: bytes = b""
    dictionary: Dictionary | None = None
    sealed_dictionary: bytes | None = None
    """Only where the parent has another dictionary, so that it may not be there."""
    lists: list[ListDraft] = field(default_factory=list[ListDraft])
    values: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    new_logs: int = 0
    aside: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """Values and parts that are rows of their own, by digest, until they are sealed into `values`."""


class Done(NamedTuple):
    """What a transaction wrote."""

    draft: Draft
    scope_key: int
    last_log: int


class NeedsConnection(Exception):  # a signal, not a fault
    """A put cannot be prepared from memory alone."""


class SealedWrites(NamedTuple):
    """A task's pending writes, ready for the transaction."""

    items: list[tuple[int, str, Ref]]
    blob: bytes
    values: list[tuple[bytes, bytes]]
    """`(digest, sealed bytes)` of what they refer to."""


def is_cancelled(writes: Sequence[tuple[str, Any]]) -> bool:
    """Say whether a task's writes end in its cancellation; then none of them may be kept.

    The task may have written its values and not yet where to go from there. LangGraph would take it for finished,
    and the graph with it.
    """
    return any(channel == ERROR and isinstance(value, _CANCELLED) for channel, value in writes)


def numbered(writes: Sequence[tuple[str, Any]]) -> list[tuple[int, str, Any]]:
    """Give each write its place, special channels theirs."""
    return [(WRITES_IDX_MAP.get(channel, idx), channel, value) for idx, (channel, value) in enumerate(writes)]


_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)
