"""A scripted conversation on any saver: what the tests of the saver run."""

from __future__ import annotations

import random
from typing import Annotated, Any, TypedDict

import sqlalchemy as sa
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from motet.memory.checkpoints import MotetSaver
from motet.memory.saver.cache import Memory
from motet.storage import tables as t

KEY = "a key for the tests"

TABLES = (
    t.checkpoint_scopes,
    t.checkpoint_runs,
    t.checkpoint_dictionaries,
    t.checkpoints,
    t.channel_values,
    t.list_items,
    t.checkpoint_writes,
)


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    count: int


class ColdSaver(MotetSaver):
    """A saver that remembers nothing from one call to the next, as if the process had restarted between them."""

    def _draft(self, connection: Any, put: Any) -> Any:
        self._forget()
        return super()._draft(connection, put)

    def _load(self, config: Any, connection: Any) -> Any:
        self._forget()
        return super()._load(config, connection)

    def _page_reader(self, query: Any, cursor: Any, left: int | None) -> Any:
        self._forget()
        return super()._page_reader(query, cursor, left)

    def _forget(self) -> None:
        self._memory = Memory(max_items=0)
        self._wire()


def text(seed: int, size: int = 400) -> str:
    source = random.Random(seed)
    return " ".join(
        source.choice(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "甲", "乙"]) for _ in range(size)
    )[:size]


def build(saver: Any, schema: Any = State) -> Any:
    """Build START -> prep -> model -> post: two new messages and five checkpoints a turn."""

    def prep(state: Any) -> dict[str, Any]:
        return {"count": (state.get("count") or 0) + 1}

    def model(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage(text(state["count"]))]}

    def post(state: Any) -> dict[str, Any]:
        return {"count": state["count"] + 1}

    graph: Any = StateGraph(schema)
    for node in (prep, model, post):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "prep")
    graph.add_edge("prep", "model")
    graph.add_edge("model", "post")
    graph.add_edge("post", END)
    return graph.compile(checkpointer=saver)


def thread(thread_id: str = "t") -> Any:
    return {"configurable": {"thread_id": thread_id}}


def human(turn: int) -> dict[str, Any]:
    return {"messages": [HumanMessage(f"question {turn}: {text(-turn)}", id=f"q{turn}")]}


def asked(values: dict[str, Any]) -> list[str]:
    """Return the ids of the questions in a state."""
    return [message.id for message in values["messages"] if message.type == "human"]


def stored_bytes(saver: MotetSaver) -> int:
    """Return how many bytes of values the saver's tables hold."""
    columns = [
        t.checkpoints.c.body,
        t.channel_values.c.value,
        t.list_items.c.value,
        t.checkpoint_writes.c.value,
    ]
    with saver.database.engine.connect() as connection:
        sums = [
            connection.execute(sa.select(sa.func.sum(sa.func.length(column)))).scalar() for column in columns
        ]
    return sum(size or 0 for size in sums)


def row_counts(saver: MotetSaver) -> dict[str, int]:
    """Count the rows of every table of the saver."""
    with saver.database.engine.connect() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in TABLES
        }
