"""Progress on stderr: a bar where it can be painted over, a line now and then where it cannot.

What does not live here: what is done.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from motet.cli.render.wording import clip, size
from motet.cli.session import console

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import ProgressColumn, TaskID

STEP = 0.1
"""How much more must be done before another plain line is worth it."""


class Bar:
    """Shows how far something is. Use it as a context manager; without a terminal it shows nothing."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = console(sys.stderr)
        self._task: TaskID | None = None
        self._cells = max(self._console.width // 3, 8)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=self._cells // 2),
            self._amount(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def show(self, phase: str, done: int, total: int) -> None:
        """Show how far it is, in words and numbers. A total of 0 means that nobody knows; less than before is fine."""
        phase = clip(phase, self._cells)
        if self._task is None:
            self._task = self._bar.add_task(phase, total=total or None)
        self._bar.update(self._task, description=phase, completed=done, total=total or None)

    def _amount(self) -> ProgressColumn:
        from rich.progress import MofNCompleteColumn

        return MofNCompleteColumn()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class DownloadBar(Bar):
    """Shows how far a download is, as the weights' `Progress`. Without a terminal it is a line each tenth."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = ("", -1.0)

    def update(self, phase: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far it is; a total of 0 means that nobody knows."""
        if self._console.is_terminal:
            self.show(phase, done_bytes, total_bytes)
            return
        share = done_bytes / total_bytes if total_bytes else 0.0
        before, last = self._shown
        if phase != before or share < last or share >= last + STEP or (share == 1.0 and last < 1.0):
            self._shown = (phase, share)
            self.notice(f"{phase}: {size(done_bytes)} of {size(total_bytes)}" if total_bytes else phase)

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, soft_wrap=True)

    def _amount(self) -> ProgressColumn:
        from rich.progress import DownloadColumn

        return DownloadColumn()
