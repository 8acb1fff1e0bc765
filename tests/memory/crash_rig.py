"""Kills a conversation with SIGKILL at random moments, again and again, on one database; run by a test.

    python crash_rig.py DATABASE_FILE KILLS SEED

The libraries are loaded once; every conversation and every check runs in a fork of that process, which opens the
database itself. After each kill: the file is sound, every turn that was acknowledged is in the state once and in
order, and what was in flight can be finished. Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
from contextlib import closing
from typing import Any

from conversation import KEY, State, asked, human, thread
from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph

from motet.memory.checkpoints import MotetSaver


def build(saver: Any) -> Any:
    """Build START -> (fast | slow) -> answer."""

    def fast(_state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("fast " * 40)]}

    def slow(_state: Any) -> dict[str, Any]:
        time.sleep(0.005)
        return {"messages": [AIMessage("slow " * 40)]}

    def answer(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("answer " * 40)], "count": (state.get("count") or 0) + 1}

    graph: Any = StateGraph(State)
    for node in (fast, slow, answer):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "fast")
    graph.add_edge(START, "slow")
    graph.add_edge(["fast", "slow"], "answer")
    return graph.compile(checkpointer=saver)


def talk(url: str, acknowledge: int, durability: Any) -> None:
    """Go on with the conversation until somebody kills the process."""
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        graph = build(saver)
        state = graph.get_state(thread())
        if state.tasks:
            graph.invoke(None, thread(), durability=durability)
            state = graph.get_state(thread())
        turn = len(asked(state.values)) if state.values else 0
        while True:
            graph.invoke(human(turn), thread(), durability=durability)
            os.write(acknowledge, b"%d\n" % turn)
            turn += 1


def check(url: str, file: str, acknowledged: tuple[int, ...]) -> bool:
    """Look at the database after a kill; return whether a turn was in flight. Raises where something is wrong."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with MotetSaver.from_url(url, secret_key=KEY) as saver:
        graph = build(saver)
        state = graph.get_state(thread())
        in_flight = bool(state.tasks)  # `next` is empty where every task has written already
        if in_flight:
            graph.invoke(None, thread())
            state = graph.get_state(thread())
        questions = asked(state.values) if state.values else []
        assert questions == [f"q{turn}" for turn in range(len(questions))], questions
        assert len(questions) >= len(acknowledged), (questions, acknowledged)
        if questions:
            words = [str(message.content).split()[0] for message in state.values["messages"]]
            assert words == ["question", "fast", "slow", "answer"] * len(questions), words
            assert state.values["count"] == len(questions)
        assert len(list(saver.list(thread()))) >= 4 * len(acknowledged)
        return in_flight


def fork(work: Any) -> int:
    """Run `work` in a fork; its exit code is 0, 1 for an error, 2 for True."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = 2 if work() is True else 0
    finally:
        sys.stderr.flush()
        if code == 1:
            import traceback

            traceback.print_exc()
        os._exit(code)


def main(file: str, kills: int, seed: int) -> None:
    """Kill and check."""
    moments, url = random.Random(seed), f"sqlite:///{file}"
    acknowledged: list[int] = []
    in_flight = 0
    for number in range(kills):
        reader, writer = os.pipe()
        durability = ("sync", "async")[number % 2]
        child = fork(lambda writer=writer, durability=durability: talk(url, writer, durability))
        os.close(writer)
        if number % 4 < 2:  # half are killed after their first turn, however slow the machine is
            select.select([reader], [], [], 60)
        time.sleep(0.06 + moments.random() * 0.25)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader) as pipe:
            acknowledged += [int(line) for line in pipe.read().split()]
        assert acknowledged == sorted(set(acknowledged))
        _, status = os.waitpid(fork(lambda told=tuple(acknowledged): check(url, file, told)), 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, 2):
            sys.exit(f"after kill {number + 1} (seed {seed}): the check failed")
        in_flight += code == 2
    sys.stdout.write(
        json.dumps({"kills": kills, "acknowledged": len(acknowledged), "in_flight": in_flight}) + "\n"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
