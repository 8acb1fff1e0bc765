"""How a failed model call is tried again: pauses, what a server asks for, and when it is left alone for a while.

What does not live here: the calls (`openai_chat`), other models that take over (`fallback`), and runs that are tried
again later (`motet.runs.retry`).
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from motet.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.errors import ModelError

MAX_WAIT_S = 60.0
"""A server that asks for a longer pause is not waited for in the middle of a run: the run comes back later."""

MAX_PAUSE_S = 8.0
"""Longest pause between tries where the server asks for none."""


def retry_after_s(header: str) -> float:
    """Read a `Retry-After` header, seconds or an HTTP date; 0 when it says nothing that can be read."""
    try:
        return max(float(header), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0


class Circuit:
    """Remembers how one server has been doing, for every call to it.

    After `failures` failed tries in a row it is open: calls fail at once, for `cool_s` seconds. Then one call at a time
    may try; the first that succeeds closes it. A pause that the server asked for is kept by every call of that model.
    """

    def __init__(
        self, failures: int = 0, cool_s: float = 10.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin closed.

        Args:
            failures: Failed tries in a row that open it; 0 never does.
            cool_s: How long it stays open before a call may try.
            clock: Seconds that only grow.
        """
        self._failures = failures
        self._cool_s = cool_s
        self._clock = clock
        self._failed = 0
        self._next_at = 0.0
        self._held: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for one that tries."""
        return bool(self._failures) and self._failed >= self._failures

    def enter(self, model: str, host: str) -> float:
        """Return how many seconds a call has to wait before it may go.

        Raises:
            ModelUnavailable: The server is left alone now; `retry_after` says for how long.
        """
        now = self._clock()
        if self.is_open:
            left = self._next_at - now
            if left > 0:
                raise ModelUnavailable(
                    f"{host} failed {self._failed} times in a row and is left alone for {left:.0f} s more. "
                    f"Is the server running?",
                    model=model,
                    host=host,
                    retry_after=f"{left:.1f}",
                    circuit="open",
                )
            self._next_at = now + self._cool_s  # this call tries; the next one may after as long again
        left = self._held.get(model, 0.0) - now
        if left > MAX_WAIT_S:
            raise ModelUnavailable(
                f"{host} asked to be left alone for {left:.0f} s more. Try again after that.",
                model=model,
                host=host,
                retry_after=f"{left:.1f}",
            )
        return max(left, 0.0)

    def succeeded(self) -> None:
        """Note an answer."""
        self._failed = 0

    def failed(self, model: str, error: ModelError) -> None:
        """Note a failed try. A server that is too busy, or says no, is there: only its pause is noted."""
        wanted = retry_after_s(str(error.fields.get("retry_after") or ""))
        if wanted:
            self._held[model] = max(self._held.get(model, 0.0), self._clock() + wanted)
        if isinstance(error, ModelUnavailable) and error.fields.get("status") != 429:
            self._failed += 1
            self._next_at = self._clock() + self._cool_s


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is tried, and how long the pauses are."""

    max_retries: int = 0
    pause_s: float = 0.5
    """Before the first retry; it doubles with each, less up to a quarter by chance."""
    circuit: Circuit = field(default_factory=Circuit)


class Tries:
    """The tries of one call."""

    def __init__(self, patience: Patience, model: str, host: str) -> None:
        self._patience = patience
        self._model = model
        self._host = host
        self._retries = 0

    async def begin(self) -> None:
        """Wait for as long as the server asked to be left alone.

        Raises:
            ModelUnavailable: That is too long.
        """
        await asyncio.sleep(self._patience.circuit.enter(self._model, self._host))

    def begin_now(self) -> None:
        """Do the same in code that does not await."""
        time.sleep(self._patience.circuit.enter(self._model, self._host))

    def ended(self) -> None:
        """Note that the call has its answer."""
        self._patience.circuit.succeeded()

    async def failed(self, error: ModelError) -> None:
        """Wait for the next try.

        Raises:
            ModelError: The error itself, when there is none.
        """
        await asyncio.sleep(self._pause(error))

    def failed_now(self, error: ModelError) -> None:
        """Do the same in code that does not await."""
        time.sleep(self._pause(error))

    def gave_up(self, error: ModelError) -> None:
        """Note a failure after which this call is not tried again."""
        self._patience.circuit.failed(self._model, error)

    def _pause(self, error: ModelError) -> float:
        """Return the seconds until the next try; an error that another try may mend is of no use twice."""
        if error.fields.get("circuit") == "open":
            raise error
        self.gave_up(error)
        wanted = retry_after_s(str(error.fields.get("retry_after") or ""))
        once = bool(error.fields.get("malformed"))
        passing = isinstance(error, ModelUnavailable) or once
        if not passing or self._retries >= (1 if once else self._patience.max_retries) or wanted > MAX_WAIT_S:
            raise error
        self._retries += 1
        if wanted:
            return 0.0  # `begin` waits, as every other call of this model does
        pause = min(self._patience.pause_s * 2 ** (self._retries - 1), MAX_PAUSE_S)
        return pause * random.uniform(0.75, 1.0)  # noqa: S311  # callers that failed together come back apart
