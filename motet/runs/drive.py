"""How LangGraph is to drive a run's graph, where a caller says more than an input: a value that crosses the queue.

What does not live here: what a run is asked (`request`), who checks this (`submit`) and who does it (`execute`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from motet.errors import InvalidInput

RecordMode = Literal["values", "updates", "messages", "custom", "tasks", "checkpoints", "debug", "events"]
"""What of LangGraph's own stream can be recorded; `messages` are pairs of a chunk and its metadata."""

Nodes = list[str] | Literal["*"]
"""Names of nodes, or all."""

MAX_SUPERSTEPS = 1000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SendTo(_Frozen):
    """Go to a node with an input of its own."""

    node: str
    input: Any = None


class StateWrite(_Frozen):
    """A write to a thread's state, as if a node had returned it."""

    values: Any = None
    as_node: str | None = None
    """The node that wrote last unless given."""
    update: Any = None
    """What a node's `Command` would carry besides; with `goto` or `resume` in it as LangGraph spells them."""


class Drive(_Frozen):
    """What a caller may say about how a graph is driven. As it is, it says nothing: input in, output out."""

    record: list[RecordMode] = []
    """Parts of LangGraph's stream that are kept in the run's log as `stream.part`; none unless asked for."""
    subgraphs: bool = False
    """Record the parts of graphs within the graph too."""
    go_on: bool = False
    """No input: go on from where the thread stands, past a breakpoint."""
    update: Any = None
    """A change of the state that a node's `Command` could make, before anything runs."""
    goto: list[str | SendTo] = []
    """Nodes to go to."""
    supersteps: list[list[StateWrite]] = Field(default=[], max_length=MAX_SUPERSTEPS)
    """Write these to the thread's state, one superstep after the other, and run nothing."""
    interrupt_before: Nodes = []
    interrupt_after: Nodes = []
    checkpoint_id: str | None = None
    """Go on from this checkpoint of the thread instead of its newest: a fork."""
    checkpoint_ns: str = ""
    """Of `supersteps`: the graph within the graph whose state is written."""
    configurable: dict[str, Any] = {}
    """Settings that graphs read from their config; the gate lets through what the server's settings name."""
    context: dict[str, Any] | None = None
    """The graph's context, checked by its `context_schema`."""
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    """Stored with the run's checkpoints and told with its stream; plain JSON."""

    @property
    def needs_no_input(self) -> bool:
        """Whether there is something to do without an input or an answer."""
        return self.go_on or self.is_command or bool(self.supersteps)

    @property
    def is_command(self) -> bool:
        """Whether LangGraph is given a command."""
        return self.update is not None or bool(self.goto)

    def check(self, *, has_input: bool, has_answer: bool) -> None:
        """Refuse what does not go together.

        Raises:
            InvalidInput: An input or an answer with something that takes its place.
        """
        if has_input and self.needs_no_input:
            raise InvalidInput("A run with an input takes no command: leave out one of the two.")
        if has_answer and (self.go_on or self.supersteps):
            raise InvalidInput("An answer to an interrupt goes on by itself, and writes no state beside it.")
        if self.supersteps and (self.go_on or self.is_command or any(not step for step in self.supersteps)):
            raise InvalidInput("Writing state takes one write or more a superstep, and no command.")


RESERVED = frozenset(
    {"thread_id", "run_id", "user_id", "tenant", "tenant_id", "owner_id", "assistant_id", "graph_id"}
)
"""Names in a config that only Motet sets."""


def allowed_configurable(given: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """Return what a caller may set of a config's `configurable`: the names on the list, and none of Motet's own.

    What is reserved for LangGraph or Motet stays out even where the list names it.
    """
    return {
        name: value
        for name, value in given.items()
        if (name in allowed or "*" in allowed)
        and name not in RESERVED
        and not name.startswith(("__", "checkpoint_", "langgraph_"))
    }
