"""What the operations on threads return: frozen values that any door can spell.

What does not live here: threads, runs and messages as they stand on disk (`runs.request`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from motet.runs.request import MessageRecord, ThreadRecord


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Frozen):
    """What one run added to a conversation, and the checkpoint it left."""

    number: int | None
    """From 1; None for a turn that a rewind took out of the conversation."""
    run_id: str
    checkpoint_id: str | None
    """The thread's state at the turn's end; None where it was deleted to save space, or never made."""
    at: float
    """When it began, unix seconds."""
    said: str
    """What the user said; the first message of a turn in which the user said nothing."""
    messages: int
    is_head: bool = False
    """Whether the next turn goes on from here."""


class Rewound(_Frozen):
    """What a rewind did."""

    thread: ThreadRecord
    turn: int
    """The turn that is the last one now."""
    checkpoint_id: str
    """The thread's state now."""
    left_checkpoint_id: str
    """The state that was left: fork the thread there to have it back."""
    messages: int
    """How many messages were taken out of the conversation."""


class DiffLine(_Frozen):
    """A message that only one of two conversations has."""

    side: Literal["left", "right"]
    message: MessageRecord


class StateDifference(_Frozen):
    """A key of two states that differs. Values are plain JSON; None stands for a missing one too."""

    key: str
    left: Any
    right: Any


class ThreadDiff(_Frozen):
    """What differs between two conversations, or two points of one."""

    left: str
    right: str
    same: int
    """How many messages both begin with."""
    lines: list[DiffLine]
    """The others, in order; of those that stand at one place the left's come first."""
    state: list[StateDifference]


class Compacted(_Frozen):
    """What compacting took away."""

    threads: int
    checkpoints: int
    messages: int
    """Messages that rewinds had taken out of their conversations."""
