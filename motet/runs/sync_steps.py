"""Lets graphs that store nothing run beneath graphs whose steps wait for the disk.

What does not live here: driving graphs (`execute`). This file may go with the fault of LangGraph's that it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.pregel._loop import AsyncPregelLoop  # no public way

if TYPE_CHECKING:
    from collections.abc import Generator


class _Saved:
    """Awaited, it is done at once."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


def let_graphs_without_saver_be_sync() -> None:
    """Let a sub-graph that stores nothing (`checkpointer=False`) run beneath one whose steps wait for the disk.

    LangGraph 1.2.22 has it wait for a save that it never began: `AsyncPregelLoop` gets no `_put_checkpoint_fut`
    (`pregel/main.py`, "wait for checkpoint"). This may go when that has a default.
    """
    if not hasattr(AsyncPregelLoop, "_put_checkpoint_fut"):
        AsyncPregelLoop._put_checkpoint_fut = _Saved()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
