"""What a compiled task is given: models, tools, graphs, documents and a store, each behind one function.

What does not live here: any of them. The app gives its own rooms; a test gives fakes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.agents.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore

    from motet.models.base import ConnectedModel, Role
    from motet.retrieval.base import Retriever


@dataclass(frozen=True, slots=True)
class TaskParts:
    """What tasks are made of."""

    chat: Callable[[Role, str | None], Awaitable[ConnectedModel]]
    """Connects a model by role, or by spec where there is one."""
    model_name: Callable[[Role, str | None], str]
    """Says which model that is, without connecting it."""
    tools: Callable[[Sequence[str], Retriever | None], Awaitable[list[BaseTool]]]
    """Builds tools by name; those that search documents get the retriever, or the default one without."""
    graph: Callable[[str, str | None], Awaitable[CompiledStateGraph[Any, Any, Any, Any]]]
    """Builds a graph by name, with a model spec or the default one."""
    documents: Callable[[Sequence[Path], Path, int | None], Awaitable[tuple[Retriever, str]]]
    """Makes files and folders searchable; returns a retriever and a word that changes when they do. The second path
    is the folder that they must lie in, unless they were taken in before; the number is how many passages a search
    gives, as the settings say unless given."""
    store: BaseStore
    """Keeps the cache."""
    is_trusted: Callable[[str], bool]
    """Says whether the task file with this digest may run programs."""
    prompts: Prompts = field(default_factory=Prompts)
    """What a judge is told."""
