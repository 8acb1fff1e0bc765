"""A scripted model that plays every agent's part, and documents of two lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver

from motet.agents.base import AgentParts
from motet.agents.prompts import Prompts
from motet.events import Event, Passage
from motet.graphs.base import GraphParts, with_checkpointer
from motet.memory.recall import Memories
from motet.models.base import ConnectedModel
from motet.models.scripted import Call, ScriptedChatModel, ToolCall, scripted
from motet.runs.translate import STREAM_MODES, Translator
from motet.settings import AgentSettings, ToolSettings
from motet.tools.base import ToolContext
from motet.tools.making import build_tools

Parts = dict[str, Any]

PLAN = {
    "steps": [
        {"agent": "retriever", "task": "Find the price of a ticket.", "depends_on": []},
        {"agent": "retriever", "task": "Find the group discount.", "depends_on": []},
        {"agent": "worker", "task": "Calculate 20 tickets less the discount.", "depends_on": [1, 2]},
    ]
}


def calculation(expression: str) -> ToolCall:
    """Return a call of the worker's calculator, which has its figures named first."""
    return ToolCall("calculator", {"figures": [{"what": "price", "value": "12"}], "expression": expression})


class Library:
    """A retriever over fixed passages; records its queries."""

    def __init__(self, *texts: str) -> None:
        self.queries: list[str] = []
        self._passages = [
            Passage(passage_id=f"p{i}", text=text, source=f"doc{i}.md", title=f"Document {i}")
            for i, text in enumerate(texts or ("A ticket costs 12 euros.", "Groups pay 10 % less."), 1)
        ]

    async def search(self, query: str, *, limit: int = 4) -> list[Passage]:
        self.queries.append(query)
        words = set(query.lower().replace(".", "").split())
        ranked = sorted(
            self._passages, key=lambda p: -len(words & set(p.text.lower().replace(".", "").split()))
        )
        return ranked[:limit]

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        wanted = set(" ".join(queries).lower().replace(".", "").split())
        return [float(len(wanted & set(text.lower().replace(".", "").split()))) for text in texts]


def play(call: Call, parts: Parts) -> Any:
    """Reply as the agent that is asked: `parts` maps a schema's name to its reply, and `answer` and `tool`."""
    if call.schema_name in parts:
        reply = parts[call.schema_name]
        return reply(call) if callable(reply) else {"json": reply}
    defaults: dict[str, Callable[[], Any]] = {
        "Route": lambda: {"json": {"route": "plan", "personal": False}},
        "Plan": lambda: {"json": PLAN},
        "Question": lambda: {"json": {"question": call.user_text.rpartition(": ")[2].strip()}},
        "Queries": lambda: {"json": {"en": "ticket price", "zh": "票价"}},
        "Facts": lambda: {"json": _facts(call)},
        "Review": lambda: {"json": {"enough": True, "missing": ""}},
    }
    if call.schema_name in defaults:
        return defaults[call.schema_name]()
    if is_look(call):
        look = parts.get("stated", "yes")
        return look(call) if callable(look) else look
    if call.tools and not call.tool_result:
        return parts.get("tool", calculation("20 * 12 * 0.9"))
    return parts.get("answer", "A ticket costs 12 euros [1], so 20 cost 216 euros [9].")


def is_look(call: Call) -> bool:
    """Say whether a model is asked by yes or no whether a text says what is looked for."""
    return call.user_text.startswith(("Text: ", "文字："))


def _facts(call: Call) -> dict[str, Any]:
    lines = [line for line in call.user_text.splitlines() if line.startswith("- ")]
    return {"facts": [line.partition(": ")[2] for line in lines[:1]]}


def stage(
    parts: Parts | None = None,
    *,
    library: Library | None = None,
    memories: Memories | None = None,
    settings: AgentSettings | None = None,
    tools: list[str] | None = None,
    documents_named: bool = False,
) -> tuple[GraphParts, list[Call]]:
    """Return parts for a graph, and the list that its model's calls go into."""
    model: ConnectedModel = scripted(lambda call: play(call, parts or {}))
    chat = model.chat
    assert isinstance(chat, ScriptedChatModel)
    library = Library() if library is None else library
    built = build_tools(ToolContext(ToolSettings(web_search=False), library), tools)
    agents = AgentParts(
        model, model, Prompts(), settings or AgentSettings(), built, library, documents_named=documents_named
    )
    return GraphParts(agents, memories), chat.calls


def with_fast(parts: GraphParts, *, chat: BaseChatModel | None = None, **capabilities: Any) -> AgentParts:
    """Return agents' parts whose fast model can what is said, or is another one."""
    fast = parts.agents.fast
    able = dataclasses.replace(fast.capabilities, **capabilities)
    return dataclasses.replace(
        parts.agents, fast=dataclasses.replace(fast, chat=chat or fast.chat, capabilities=able)
    )


def with_all(parts: GraphParts, *, chat: BaseChatModel | None = None, **capabilities: Any) -> GraphParts:
    """Return parts whose models, both of them, can what is said, or are another one."""
    agents = with_fast(parts, chat=chat, **capabilities)
    return dataclasses.replace(parts, agents=dataclasses.replace(agents, deep=agents.fast))


async def play_through(graph: Any, *questions: str) -> list[Event]:
    """Ask a graph one question after the other on one thread; return the events of the last."""
    stored = with_checkpointer("played", graph, InMemorySaver())
    events: list[Event] = []
    for question in questions:
        translator = Translator()
        events = []
        stream: Any = stored.astream(
            {"messages": [{"role": "user", "content": question}]},
            {"configurable": {"thread_id": "t"}},
            stream_mode=STREAM_MODES,
            subgraphs=True,
        )
        async for part in stream:
            events.extend(translator.translate(part))
    return events


def only(events: list[Event], kind: type[Any]) -> list[Any]:
    """Return the events of one kind."""
    return [event for event in events if isinstance(event, kind)]
