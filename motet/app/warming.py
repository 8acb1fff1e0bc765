"""Imports what a first run needs before it comes: on the loop that would keep everybody else waiting for a second.

What does not live here: when (`App.start_worker`, on a thread).
"""

from __future__ import annotations

from importlib import import_module

HEAVY = (
    "motet.runs.execute",
    "motet.runs.worker",
    "motet.runs.recordings.taps",
    "motet.app.toolbox",
    "motet.graphs.ensemble",
    "motet.graphs.chat",
    "motet.agents.tool_agent",
    "motet.memory.checkpoints",
    "motet.memory.recall",
    "motet.memory.store",
    "motet.models.openai",
    "motet.models.roles",
    "motet.retrieval.collection",
    "motet.retrieval.vectors.faiss",
    "motet.tools.ledger.nodes",
    "motet.tools.mcp",
)
"""Modules that a run of the usual graphs imports; each pulls in the libraries below it."""


def warm() -> None:
    """Import them all; takes a second or two once, and nothing afterwards."""
    for name in HEAVY:
        import_module(name)
