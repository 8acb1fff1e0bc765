"""Lets what a run tells be stored in the transaction of the checkpoint that it tells of.

What does not live here: what is told (`runs.writer`), and the checkpoint (`memory.checkpoints`). A crash between two
transactions would leave a step that is done and was never told, or one that is told and will be done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.engine import Connection

    Work = Callable[[Connection], Any]

T = TypeVar("T")

CONFIG_KEY = "__motet_along"
"""Where a LangGraph config carries the `Along` of its run; keys that begin so are not stored with checkpoints."""


class Carry(Protocol):
    """Has a checkpoint's transaction carry what a run has to tell by now."""

    async def __call__(self, store: Callable[[Work | None], Awaitable[T]]) -> T:
        """Call `store` with work for its transaction, None when there is none; return its value."""
        ...


class Along(NamedTuple):
    """A run's thread, and who gives its checkpoints what they carry."""

    thread_id: str
    carry: Carry


def carry_of(config: Mapping[str, Any]) -> Carry | None:
    """Return who gives a checkpoint of this LangGraph config what it carries; None when nobody does.

    A checkpoint of a graph within the graph, or of another thread, ends no superstep of the run's own graph.
    """
    named: Mapping[str, Any] = config.get("configurable") or {}
    along: Along | None = named.get(CONFIG_KEY)
    return along.carry if along is not None and is_root(named, along.thread_id) else None


def is_root(named: Mapping[str, Any], thread_id: str) -> bool:
    """Say whether a LangGraph config's `configurable` names the chain of a thread's own graph, and no other."""
    return named.get("thread_id") == thread_id and not named.get("checkpoint_ns")
