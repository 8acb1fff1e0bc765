"""Hands the checkpoint that a run was begun with on to LangGraph, which would read the same again at once.

What does not live here: reading (`memory.checkpoints`). Between the two nobody else writes to the thread: it is the
run's, and a worker that lost the run is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.storage.along import is_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langgraph.checkpoint.base import CheckpointTuple

CONFIG_KEY = "__motet_handed"
"""Where a LangGraph config carries the `Handed` of its run; keys that begin so are not stored with checkpoints."""


class Handed:
    """A thread's newest checkpoint, None where it has none; it is given out once."""

    def __init__(self, thread_id: str, newest: CheckpointTuple | None) -> None:
        self._thread_id = thread_id
        self._newest = newest
        self._is_there = True

    def take(self, named: Mapping[str, Any]) -> tuple[CheckpointTuple | None] | None:
        """Return the checkpoint, in a tuple, if that is what is asked for; None if it is not, or is gone.

        Args:
            named: The `configurable` of what is asked for.
        """
        is_it = is_root(named, self._thread_id) and not named.get("checkpoint_id")
        if not self._is_there or not is_it:
            return None
        self._is_there = False
        return (self._newest,)


def handed_in(config: Mapping[str, Any]) -> tuple[CheckpointTuple | None] | None:
    """Return what a LangGraph config brings along for whoever asks for its thread's newest checkpoint."""
    named: Mapping[str, Any] = config.get("configurable") or {}
    handed: Handed | None = named.get(CONFIG_KEY)
    return None if handed is None else handed.take(named)
