"""The table of graphs, and what a graph is built from.

What does not live here: any graph. A graph is one file with a `build_` function and one line in `GRAPHS`; the
user's own are named in the settings file (`[graphs]`) or by the entry-point group `motet.graphs`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound, did_you_mean
from motet.graphs.needs import check_needs, needs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.tools import BaseTool
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    from motet.agents.base import AgentParts
    from motet.memory.history import History
    from motet.memory.recall import Memories
    from motet.retrieval.base import Retriever

GRAPHS: dict[str, str] = {
    "chat": "motet.graphs.chat:build_chat",
    "ensemble": "motet.graphs.ensemble:build_ensemble",
}
"""The shipped graphs by name."""

DESCRIPTIONS: dict[str, str] = {
    "chat": "One agent with tools and memory.",
    "ensemble": "Recall, plan, retrieve and work in parallel, review, answer with citations, remember.",
}
"""What each shipped graph is good for, in one line."""


@dataclass(frozen=True, slots=True)
class GraphParts:
    """What a graph is built from."""

    agents: AgentParts
    memories: Memories | None = None
    """What is known about the user; None forgets everything between threads."""
    history: History | None = None
    """The conversations' transcripts; None finds nothing that left a thread's state."""


def known_graphs(own: Mapping[str, str]) -> dict[str, str]:
    """Return every graph's import string by name: entry points', the user's own, and shipped ones, which win."""
    others = {point.name: point.value for point in entry_points(group="motet.graphs")}
    return others | dict(own) | GRAPHS


def build_graph(
    name: str,
    parts: GraphParts,
    *,
    own: Mapping[str, str],
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build a graph by name, compiled with the checkpointer; its tool calls are kept in the run's ledger.

    A shipped graph's function takes the parts. A user's function may take them or nothing, and may return a
    `StateGraph` or a compiled graph; a module's attribute may be either itself.

    Raises:
        NotFound: No graph has this name, or its module or function does not exist.
        InvalidInput: What the function returned is no graph.
        ModelRefused: A model cannot do what the graph needs; see `needs`.
    """
    table = known_graphs(own)
    if name not in table:
        raise NotFound(f"Unknown graph '{name}'.{did_you_mean(name, table)}", graph=name)
    made = _load(name, table[name])
    agents = parts.agents
    check_needs(name, needs_of(name, made), (agents.fast, agents.deep, *agents.own_models.values()))
    if callable(made) and not hasattr(made, "astream") and not hasattr(made, "compile"):
        made = made(parts) if inspect.signature(made).parameters else made()
    graph = with_checkpointer(name, made, checkpointer)
    from motet.tools.ledger.nodes import keep_calls_of  # noqa: PLC0415  # the table is read without LangGraph

    keep_calls_of(graph)
    return graph


def with_checkpointer(
    name: str, made: Any, checkpointer: BaseCheckpointSaver[Any] | None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return a graph that stores its checkpoints with `checkpointer`, without changing the one given."""
    if hasattr(made, "compile"):
        made = made.compile()
    if not hasattr(made, "astream"):
        raise InvalidInput(
            f"Graph '{name}' is a {type(made).__name__}; a LangGraph graph was expected.", graph=name
        )
    known = {} if made.name != "LangGraph" else {"name": name}  # what LangGraph calls one without a name
    return made.copy({"checkpointer": checkpointer, **known}) if checkpointer is not None else made


def simple_parts(
    model: BaseChatModel, *, tools: Sequence[BaseTool] = (), retriever: Retriever | None = None
) -> GraphParts:
    """Return parts made of any LangChain chat model, for use in other people's graphs, without an app.

    The model's own tool calls are used, and JSON is asked for by `response_format` where the model takes it.
    """
    from motet.agents.base import AgentParts  # noqa: PLC0415  # the agents' room is heavy
    from motet.agents.prompts import Prompts  # noqa: PLC0415
    from motet.models.base import Capabilities, ConnectedModel, ModelSpec  # noqa: PLC0415
    from motet.settings import AgentSettings  # noqa: PLC0415

    connected = ConnectedModel(ModelSpec("given", "model"), model, Capabilities("native", json_schema=True))
    agents = AgentParts(connected, connected, Prompts(), AgentSettings(), tools, retriever)
    return GraphParts(agents)


def _load(name: str, target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    try:
        module = import_module(module_name)
        found: Callable[..., Any] = getattr(module, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        missing = getattr(error, "name", None) == module_name.partition(".")[0]
        hint = " Install it, or name its folder in PYTHONPATH." if missing else ""
        raise NotFound(
            f"Graph '{name}' is set to '{target}', which cannot be loaded: {error}.{hint}", graph=name
        ) from None
    return found
