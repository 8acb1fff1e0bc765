"""The port of the agents' room: who can be given a step of a plan, and what comes back.

What does not live here: any agent. An agent is one file with a `build(parts) -> Agent | None` and one line in `AGENTS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.tools import BaseTool

    from motet.agents.prompts import Language, Prompts
    from motet.events import Passage
    from motet.models.base import ConnectedModel, Role
    from motet.retrieval.base import Retriever
    from motet.settings import AgentSettings

AGENTS: dict[str, str] = {
    "retriever": "motet.agents.retriever:build",
    "worker": "motet.agents.worker:build",
}
"""The agents that a plan may name."""


ROLES: dict[str, Role] = {
    "router": "fast",
    "planner": "fast",
    "retriever": "fast",
    "worker": "fast",
    "reviewer": "fast",
    "rememberer": "fast",
    "writer": "deep",
    "chat": "deep",
}
"""Each agent whose model can be chosen by itself, with the role whose model it uses otherwise."""

LONG_QUESTION = 240
"""Columns from which a question is too long to be looked up, or to be a step's task, in its own words alone."""


@dataclass(frozen=True, slots=True)
class AgentParts:
    """What an agent is built from."""

    fast: ConnectedModel
    """For routing, planning, tool calls and review."""
    deep: ConnectedModel
    """For the answer."""
    prompts: Prompts
    settings: AgentSettings
    tools: Sequence[BaseTool] = ()
    retriever: Retriever | None = None
    own_models: Mapping[str, ConnectedModel] = field(default_factory=dict[str, "ConnectedModel"])
    """Models of single agents, by name."""
    documents_named: bool = False
    """Whether who asks named the documents to search: then no question is answered before they were searched."""

    def model_of(self, agent: str) -> ConnectedModel:
        """Return the model of an agent: its own, else its role's; `fast` for one that is not in the table."""
        role = self.deep if ROLES.get(agent) == "deep" else self.fast
        return self.own_models.get(agent, role)


@dataclass(frozen=True, slots=True)
class Finding:
    """What an earlier step found."""

    step_id: int
    task: str
    text: str
    found: bool = True
    """Whether a passage or a tool is behind it, and not an agent's own words alone; see `Outcome.found`."""
    passage_ids: Sequence[str] = ()
    """Of the passages that it was taken from."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A step as an agent is given it."""

    step_id: int
    task: str
    question: str
    """What the user asked in the first place."""
    language: Language
    findings: Sequence[Finding] = ()
    """Results of the steps that this one depends on, in order."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an agent brings back."""

    text: str
    ok: bool = True
    passages: list[Passage] = field(default_factory=list["Passage"])
    found: bool = True
    """False where documents were looked up and said nothing (`passages` are then the nearest ones), and where no tool
    gave a worker anything: its text is the model's own."""


class Agent(Protocol):
    """Does one step of a plan."""

    name: str
    node: Literal["retrieve", "work"]
    """The graph's node that it works in."""

    def describe(self, language: Language) -> str:
        """Say in one line what it is good for, for the planner."""
        ...

    async def do(self, assignment: Assignment) -> Outcome:
        """Do the step. What can go wrong in it is an outcome with `ok` False, not an error.

        Raises:
            ModelError: The model cannot be reached or cannot be made to answer; the run ends.
        """
        ...


def build_agents(parts: AgentParts) -> dict[str, Agent]:
    """Build every agent that can work with these parts, by name, in the order of the table."""
    built: dict[str, Agent] = {}
    for name, target in AGENTS.items():
        module, _, function = target.partition(":")
        build: Callable[[AgentParts], Any] = getattr(import_module(module), function)
        agent = build(parts)
        if agent is not None:
            built[name] = agent
    return built
