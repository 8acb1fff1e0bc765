"""The port of the event log: numbered events of each run, appended by its worker, read by anyone.

What does not live here: what an event means (`motet.events`). A log is one file and one line in `LOGS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from motet.events import Event, Recorded
    from motet.runs.queue.base import Claim
    from motet.storage.along import Work

T = TypeVar("T")

LOGS: dict[str, str] = {"sql": "motet.runs.log.sql:SqlLog"}
"""Known logs."""


class MustUndo(Exception):  # a signal, not a fault
    """The run is to be rolled back: take back what it did, then end it with `run.cancelled`, undone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EventLog(Protocol):
    """Events of a run, numbered from 1 without gaps, durable before anyone reads them."""

    async def append(self, claim: Claim, events: Sequence[Event]) -> list[Recorded]:
        """Append events in one transaction, with what follows from them.

        A `message.completed` enters the transcript; a terminal event ends the run and frees its thread. Both in
        the same transaction: nobody sees one without the other. A `run.retrying` puts the run back into the queue.
        A `run.cancelled` that says `undone` takes the run's messages out of the transcript. No events give [].

        Raises:
            MustUndo: The event would end a run that somebody wants rolled back; nothing was appended.
            LeaseLost: The run is another worker's by now, or has ended; nothing was appended.
        """
        ...

    async def append_with(
        self, claim: Claim, events: Sequence[Event], store: Callable[[Work | None], Awaitable[T]]
    ) -> T:
        """Append events that end no run in somebody's transaction, and return its value.

        Args:
            claim: The run's.
            events: At least one; see `append`.
            store: Gets the work that appends them, and returns when the transaction with that work in it is on disk.
                A log that is in another database gives it None, and appends afterwards.

        Raises:
            LeaseLost: As `append`; whatever `store` raises. Nothing was appended.
        """
        ...

    async def read(self, tenant_id: str, run_id: str, *, after: int = 0, limit: int = 500) -> list[Recorded]:
        """Return the events after a number, in order; [] when there are none (yet)."""
        ...

    def follow(self, tenant_id: str, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield every event after a number as it comes, whichever process appends it; end after a terminal one.

        After the terminal one there is nothing: a reader that comes back with its number is told so at once.

        Raises:
            NotFound: There is no such run.
            InvalidInput: The run has no event of the number `after` yet.
        """
        ...

    def pages(
        self, tenant_id: str, run_id: str, *, after: int = 0, idle_s: float | None = None
    ) -> AsyncIterator[list[Recorded]]:
        """Do what `follow` does, and yield what is there together: 1 to 100 events, the newest as they come.

        With `idle_s`, [] after so much silence: the time for a sign of life. Nothing is read ahead: a reader that
        does not ask for the next page holds one page.
        """
        ...
