"""Progress on stderr: a bar where it can be painted over, a line now and then where it cannot.

What does not live here: what is done.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from motet.cli.render.wording import size
from motet.cli.session import console

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID

STEP = 0.1
"""How much more must be done before a plain line is worth it."""


class Bar:
    """Shows how far something is. Use it as a context manager.

    With `in_bytes` the numbers are shown as sizes; else as they are. What is known (`update`) may go back, since a
    second source may begin again.
    """

    def __init__(self, *, in_bytes: bool = False) -> None:
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = console(sys.stderr)
        self._in_bytes = in_bytes
        self._shown = ("", -1.0)
        self._task: TaskID | None = None
        amount = DownloadColumn() if in_bytes else MofNCompleteColumn()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            amount,
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def update(self, phase: str, done: int, total: int) -> None:
        """Show how far it is; a total of 0 means that nobody knows."""
        if not self._console.is_terminal:
            self._print_now_and_then(phase, done, total)
            return
        if self._task is None:
            self._task = self._bar.add_task(phase, total=total or None)
        self._bar.update(self._task, description=phase, completed=done, total=total or None)

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, soft_wrap=True)

    def _print_now_and_then(self, phase: str, done: int, total: int) -> None:
        share = done / total if total else 0.0
        if phase == self._shown[0] and self._shown[1] <= share < min(self._shown[1] + STEP, 1.0):
            return
        if (phase, share) != self._shown:
            self._shown = (phase, share)
            amount = f"{size(done)} of {size(total)}" if self._in_bytes else f"{done} of {total}"
            self.notice(f"{phase}: {amount}" if total else phase)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
