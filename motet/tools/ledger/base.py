"""The port of the ledger: one row a tool call, its intent on disk before the call, its result after it.

What does not live here: who asks it (`keep`), and any implementation. The row outlives the process, so that a call
which finished is never made again and one whose end nobody knows is not made again without asking.

The result is committed on its own, as soon as it is there, and not with the checkpoint of the step that made the
call, though both are in one database: the checkpoint comes when every call of the step has ended, and until then a
crash would forget those that had. The other way round nothing is lost: a step whose checkpoint is missing runs
again and finds its calls' results here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from motet.tools.base import Effect

Status = Literal["waiting", "open", "paused", "failed", "done"]
"""Of a call: a person has not allowed it yet; begun and its end unknown; stopped to ask a person itself; raised an
error; has its result."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is about to be made."""

    key: str
    """The same when a crash has the same call made again; given to the tool as its idempotency key."""
    tool: str
    arguments: str
    """JSON with sorted keys."""
    effect: Effect
    fails_cleanly: bool = False
    """Whether a call that raised an error did nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger has of a call."""

    status: Status
    is_new: bool = False
    """Whether nothing was known of it until now."""
    has_result: bool = False
    """Whether what it gave is known; a call may be done, and its result be of a kind that cannot be stored."""
    result: Any = None
    asks: int = 0
    """How often a person has answered what is to become of it."""
    asks_first: bool = False
    """Whether a person was asked before it was made, or is to be."""


class Ledger(Protocol):
    """Keeps the calls of one run's attempt."""

    async def begin(self, call: Call, *, asks_first: bool = False) -> Entry:
        """Store that a call is about to be made, or return what is known of it; nothing is changed then.

        With `asks_first` a call that is new waits for a person.

        Raises:
            LeaseLost: The run is another worker's: the call must not be made.
        """
        ...

    async def begin_again(self, call: Call, *, asks: int) -> None:
        """Store that a known call is about to be made again, after so many answers.

        Raises:
            LeaseLost: The run is another worker's: the call must not be made.
        """
        ...

    async def finish(self, call: Call, result: Any, *, asks: int | None = None) -> None:
        """Store what a call gave. A result that is there already stays."""
        ...

    async def leave(self, call: Call, status: Literal["paused", "failed"]) -> None:
        """Store that a call ended without a result."""
        ...

    async def made(self, besides: Call) -> dict[str, int]:
        """Return how many calls of each tool this run has in the ledger, one left out."""
        ...

    def around(self, place: str) -> AbstractContextManager[None]:
        """Have a crash point before and after what is done inside; see `storage.crash`."""
        ...
