"""An error that ends the run from wherever it is met: nodes and agents take others for a step that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.errors import GraphBubbleUp

if TYPE_CHECKING:
    from motet.errors import MotetError


class Halt(GraphBubbleUp):
    """Carries an error out of a graph: LangGraph hands on what bubbles up, and no tool node answers it."""

    def __init__(self, error: MotetError) -> None:
        super().__init__(error.message)
        self.error = error
