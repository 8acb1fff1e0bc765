"""What a turn of a long conversation costs: bytes, CPU, and the load of the latest state, saver by saver.

A turn is scripted: START -> prep -> model -> post, two new messages of 400 characters and a counter, which makes
five checkpoints. Each case begins with DEPTH turns of history, written by one `update_state`; then TURNS turns are
measured. CPU is the whole process's, so other work on the machine counts less than in wall time.

    python benchmarks/memory.py                      # 10, 100 and 1,000 turns
    python benchmarks/memory.py 10 100 1000 3000     # these depths
"""

from __future__ import annotations

import asyncio
import functools
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer, add_messages

from motet.memory.checkpoints import MotetSaver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

TURNS = 20
CHARS = 400
KEPT = 40
"""Messages that stay in the state of the bounded cases."""

_WORDS = (
    "the of to and in a model graph agent plan step passage number result because however question answer tool "
    "call memory store order counter reader writer window branch thread turn summary evidence about between when "
    "would should first second third north river station ticket family group price table winter summer morning"
).split()


def text(seed: int) -> str:
    """Return 400 characters of words, another text for every seed."""
    source = random.Random(seed)  # noqa: S311  # not for secrets
    return " ".join(source.choice(_WORDS) for _ in range(CHARS))[:CHARS]


def recent(left: list[AnyMessage], right: Any) -> list[AnyMessage]:
    """Add messages and keep the last ones."""
    whole = add_messages(left, right)  # pyright: ignore[reportArgumentType]
    return whole[-KEPT:]  # pyright: ignore[reportReturnType, reportIndexIssue]


class Whole(TypedDict):
    """All messages are in the state."""

    messages: Annotated[list[AnyMessage], add_messages]
    count: int


class Bounded(TypedDict):
    """The last messages are in the state."""

    messages: Annotated[list[AnyMessage], recent]
    count: int


class Delta(TypedDict):
    """Messages in a channel that stores what was added."""

    messages: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=100)]
    count: int


def build(schema: type, saver: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the scripted graph."""

    def prep(state: Any) -> dict[str, int]:
        return {"count": (state.get("count") or 0) + 1}

    def model(state: Any) -> dict[str, list[AnyMessage]]:
        return {"messages": [AIMessage(text(2 * state["count"] + 1))]}

    def post(state: Any) -> dict[str, int]:
        return {"count": state["count"] + 1}

    graph = StateGraph(schema)
    graph.add_node("prep", prep)
    graph.add_node("model", model)
    graph.add_node("post", post)
    graph.add_edge(START, "prep")
    graph.add_edge("prep", "model")
    graph.add_edge("model", "post")
    graph.add_edge("post", END)
    return graph.compile(checkpointer=saver)


class Opened(NamedTuple):
    """A saver, and what its database takes."""

    saver: BaseCheckpointSaver[Any]
    size_bytes: Callable[[], int]


@contextmanager
def motet_saver(folder: Path) -> Iterator[Opened]:
    """Open Motet's saver on SQLite."""
    file = folder / "motet.db"
    with MotetSaver.from_url(f"sqlite:///{file}") as saver:
        yield Opened(saver, functools.partial(sqlite_bytes, file))


@contextmanager
def sqlite_saver(folder: Path) -> Iterator[Opened]:
    """Open LangGraph's saver on SQLite."""
    file = folder / "sqlite.db"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        yield Opened(saver, functools.partial(sqlite_bytes, file))


def sqlite_bytes(file: Path) -> int:
    """Return the bytes of a database's used pages, those in its log included."""
    with closing(sqlite3.connect(file)) as connection:
        pages, free = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        return (pages - free) * connection.execute("PRAGMA page_size").fetchone()[0]


class Figures(NamedTuple):
    """What was measured in one case."""

    cpu_ms: float
    """CPU of one turn."""
    kilobytes: float
    """Growth of the database in one turn."""
    load_ms: float
    """CPU of one load of the latest state by the saver that ran the turns."""


def measure(schema: type, opener: Callable[[Path], Any], depth: int, *, use_async: bool = False) -> Figures:
    """Run one case in a fresh folder."""
    folder = Path(tempfile.mkdtemp(prefix="motet-bench-"))
    config: Any = {"configurable": {"thread_id": "long"}}
    try:
        with opener(folder) as (saver, size_bytes):
            graph = build(schema, saver)
            history = [
                (HumanMessage if index % 2 == 0 else AIMessage)(text(-index), id=str(index)) for index in range(2 * depth)
            ]
            graph.update_state(config, {"messages": history, "count": 2 * depth}, as_node="post")
            invoke(graph, config, 0, use_async=use_async)
            before = size_bytes()
            cpu = [timed(functools.partial(invoke, graph, config, turn, use_async=use_async)) for turn in range(1, TURNS + 1)]
            grown = size_bytes() - before
            load = [timed(functools.partial(graph.get_state, config)) for _ in range(9)]
            return Figures(statistics.median(cpu), grown / TURNS / 1000, statistics.median(load))
    finally:
        shutil.rmtree(folder)


def invoke(graph: CompiledStateGraph[Any, Any, Any, Any], config: Any, turn: int, *, use_async: bool) -> None:
    """Run one turn."""
    message: Any = {"messages": [HumanMessage(text(1_000_000 + turn))]}
    if use_async:
        asyncio.run(graph.ainvoke(message, config, durability="async"))
    else:
        graph.invoke(message, config, durability="sync")


def timed(work: Callable[[], Any]) -> float:
    """Return the CPU that `work` takes, in milliseconds."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


CASES: dict[str, tuple[type, Callable[[Path], Any]]] = {
    "SqliteSaver, all messages": (Whole, sqlite_saver),
    "SqliteSaver, DeltaChannel": (Delta, sqlite_saver),
    "SqliteSaver, last 40": (Bounded, sqlite_saver),
    "MotetSaver, all messages": (Whole, motet_saver),
    "MotetSaver, last 40": (Bounded, motet_saver),
}


def main(depths: list[int]) -> None:
    """Measure every case and print the tables."""
    new = sum(len(m.model_dump_json()) for m in (HumanMessage(text(1), id="0" * 36), AIMessage(text(2), id="0" * 36)))
    print(f"A turn adds two messages, {new} bytes as JSON. Medians of {TURNS} turns; depth in turns.\n")
    found: dict[tuple[str, int], Figures] = {}
    columns = "".join(f"{depth:>9,}" for depth in depths)
    for title, unit in (("CPU per turn", "ms"), ("Stored per turn", "kB"), ("Load of the latest state", "ms")):
        index = ("ms", "kB", "ms").index(unit) if title != "Load of the latest state" else 2
        print(f"{title + ', ' + unit:<28}{columns}   worst/best")
        for name, (schema, opener) in CASES.items():
            for depth in depths:
                found.setdefault((name, depth), None or measure(schema, opener, depth)) if (name, depth) not in found else None
            row = [found[name, depth][index] for depth in depths]
            print(f"  {name:<26}" + "".join(f"{value:>9.2f}" for value in row) + f"{max(row) / max(min(row), 1e-9):>10.2f}")
        print()
    deep = depths[-1]
    print(f"Times less than SqliteSaver with all messages, at {deep:,} turns:")
    base = found["SqliteSaver, all messages", deep]
    for name in CASES:
        mine = found[name, deep]
        print(f"  {name:<26}{base.kilobytes / mine.kilobytes:>8.0f} x bytes {base.cpu_ms / mine.cpu_ms:>7.1f} x CPU {base.load_ms / mine.load_ms:>7.1f} x load")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10, 100, 1000])
