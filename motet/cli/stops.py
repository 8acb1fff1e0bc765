"""Ctrl-C and SIGTERM: the first asks what is going on to end well, the second leaves at once.

What does not live here: Ctrl-C at a prompt, which is a key there (`motet.cli.chat`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stops:
    """Listens while it is entered, on the event loop's thread.

    `status` is None until somebody asked to stop; then it is the exit status that says why.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self._stop: Callable[[], Any] | None = None
        self._stopping: asyncio.Task[Any] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def stop_with(self, stop: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Say what ends the work from now on; it begins at once when somebody asked already."""

        def begin() -> None:
            self._stopping = asyncio.get_running_loop().create_task(stop())

        self._stop = begin
        if self.status is not None:
            begin()

    def ask(self, status: int) -> None:
        """Ask the work to end, with this exit status. A second call changes nothing."""
        if self.status is None:
            self.status = status
            if self._stop is not None:
                self._stop()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is not None:
            self._stop = task.cancel

        def first(number: int, _frame: FrameType | None) -> None:
            for name in SIGNALS:
                signal.signal(name, _leave)
            loop.call_soon_threadsafe(self.ask, 128 + number)

        # Plain handlers, not the loop's: the second signal must work when the loop is stuck.
        self._before = {name: signal.signal(name, first) for name in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave at once. Child processes die with this one."""
    try:
        sys.stdout.flush()
    finally:
        os._exit(128 + number)
