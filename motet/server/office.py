"""What all requests of one server share: settings, who may come in, how many at once, and whether it is closing.

What does not live here: routes (`http`) and the socket (`run`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.errors import RateLimited
from motet.server.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from motet.runs.request import Caller
    from motet.server.auth import Authenticator
    from motet.server.desk import Desks
    from motet.settings import ServerSettings

MAX_CALLERS = 10_000
"""Callers whose rates are known; beyond that the one that was here longest ago begins anew."""

SMALL_BODY_BYTES = 65_536
"""A body of so much is taken however many large ones are on their way."""


class Rates:
    """So many requests a minute for each caller, as a bucket that fills steadily; 0 is no limit."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, who: tuple[str, str], *, now: float | None = None) -> None:
        """Count one request.

        Raises:
            RateLimited: It is one too many; `retry_after_s` says when it is not.
        """
        if not self._per_minute:
            return
        now = time.monotonic() if now is None else now
        level, at = self._buckets.pop(who, (float(self._per_minute), now))
        level = min(self._per_minute, level + (now - at) * self._per_minute / 60)
        self._buckets[who] = (max(level - 1, 0.0) if level >= 1 else level, now)
        while len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        if level < 1:
            wait_s = (1 - level) * 60 / self._per_minute
            raise RateLimited(
                f"More than {self._per_minute} requests a minute. Come back in {max(wait_s, 1):.0f} s.",
                retry_after_s=wait_s,
            )


class Streams:
    """So many open streams for each caller, and for all together; 0 is no limit."""

    def __init__(self, per_caller: int, in_all: int) -> None:
        self._per_caller, self._in_all = per_caller, in_all
        self._open: Counter[tuple[str, str]] = Counter()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._open.total()

    def check(self, caller: Caller) -> None:
        """Refuse a stream that would be one too many.

        Raises:
            RateLimited: It would.
        """
        mine = self._open[caller.tenant_id, caller.owner_id]
        for count, limit in ((mine, self._per_caller), (self._open.total(), self._in_all)):
            if limit and count >= limit:
                raise RateLimited(f"{count} streams are open, and no more may be.", retry_after_s=5)

    @contextlib.asynccontextmanager
    async def take(self, caller: Caller) -> AsyncIterator[None]:
        """Count a stream as long as it is open."""
        key = (caller.tenant_id, caller.owner_id)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


class Bodies:
    """So many bytes of bodies that are still being read, of all callers together; 0 is no limit.

    Small ones always go, and so does one that is alone: who sends large ones slowly keeps nobody else out but such.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[Callable[[int], None]]:
        """Give what counts the bytes of one body; they are counted as long as it is read.

        The function raises RateLimited where there are too many.
        """
        mine = 0

        def more(count: int) -> None:
            nonlocal mine
            others = self._held_bytes - mine
            too_many = self._most_bytes and others and others + mine + count > self._most_bytes
            if too_many and mine + count > SMALL_BODY_BYTES:
                raise RateLimited("Too many large bodies are being sent at once.", retry_after_s=2)
            mine += count
            self._held_bytes += count

        try:
            yield more
        finally:
            self._held_bytes -= mine


class Closing:
    """Whether every stream has to end; tells those that are open, without a task for each."""

    def __init__(self) -> None:
        self._is_set = False
        self._open: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Say whether they have to."""
        return self._is_set

    def set(self) -> None:
        """End them."""
        self._is_set = True
        for over in self._open:
            end(over)

    @contextlib.contextmanager
    def telling(self, over: asyncio.Future[None]) -> Iterator[None]:
        """End a future when they have to end; at once where they have to already."""
        self._open.add(over)
        if self._is_set:
            end(over)
        try:
            yield
        finally:
            self._open.discard(over)


def end(over: asyncio.Future[None], _done: object = None) -> None:
    """End a future that several may end."""
    if not over.done():
        over.set_result(None)


@dataclass
class Office:
    """What all requests of one server share."""

    settings: ServerSettings
    desks: Desks
    auth: Authenticator
    draining: bool = False
    """Whether the server takes no new runs; what was accepted goes on."""
    closing: Closing = field(default_factory=Closing)
    """Set when every stream has to end."""
    input_models: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of graphs by name, the pydantic model of their input, as it was last seen."""
    _soon: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    def __post_init__(self) -> None:
        self.rates = Rates(self.settings.rate_per_min)
        self.streams = Streams(self.settings.max_streams_per_caller, self.settings.max_streams)
        self.bodies = Bodies(int(self.settings.max_bodies_mb * 1024 * 1024))
        self.metrics = Metrics(lambda: self.streams.open) if self.settings.metrics else None

    def soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._soon.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._soon.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved: a run that is gone by now needs no stopping
