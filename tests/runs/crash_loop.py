"""Kill a process at every crash point of a small run, one after the other, and see what a new process makes of it.

`python crash_loop.py FOLDER` prints one JSON line per crash point, of a run that calls two tools (phase `question`) and
of the run that brings the answer about a call that was broken off (`answer`). The last line of each has another status:
no point was left. Every process is a fork of this one, which has imported everything already.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from motet.app import build_app
from motet.graphs.base import GraphParts
from motet.models.scripted import Call, ScriptedChatModel, ToolCall
from motet.runs.request import RunRequest
from motet.settings import Settings
from motet.storage.crash import STATUS
from motet.tools.base import idempotency_key

ANSWER = "Both are written down."
QUESTION = "Write both down, please."


def build(parts: GraphParts) -> Any:
    """An agent that calls two tools at once, then answers; each tool appends a line to a file."""
    effects = Path(parts.agents.settings.prompts) / "effects"

    def answer(call: Call) -> Any:
        if not call.tool_result:
            return [ToolCall("send", {"text": "hello"}), ToolCall("book", {"seat": 7})]
        return ANSWER

    model = ScriptedChatModel(script=answer).bind_tools(tools := _tools(effects))

    async def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", tools_condition)
    builder.add_edge("tools", "agent")
    return builder.compile()


def _tools(effects: Path) -> list[BaseTool]:
    def write(**line: Any) -> None:
        with effects.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    async def send(text: str) -> str:
        """Send a text."""
        write(tool="send", text=text, key="")
        return f"sent {text}"

    async def book(seat: int) -> str:
        """Book a seat."""
        write(tool="book", seat=seat, key=idempotency_key())
        return f"booked {seat}"

    return [
        StructuredTool.from_function(coroutine=send),
        StructuredTool.from_function(coroutine=book, metadata={"effect": "idempotent"}),
    ]


def settings_of(home: Path, crash_at: int = 0) -> Settings:
    values = {
        "storage.home": home,
        "storage.crash_at": crash_at,
        "agents.graph": "two",
        "agents.prompts": str(home),
        "models.default": f"scripted:{_script(home)}",
        "models.embed": "none",
    }
    settings = Settings.load(values, environ={}, cwd=home)
    return replace(settings, graphs={"two": "crash_loop:build"})


def _script(home: Path) -> Path:
    """A model for the roles that nobody asks."""
    path = home / "script.json"
    path.write_text('{"default": "unused"}', "utf-8")
    return path


async def ask(home: Path, crash_at: int) -> dict[str, Any]:
    """Ask once; the id of the run is in `accepted` as soon as the caller has it."""
    async with build_app(settings_of(home, crash_at)) as app:
        await app.start_worker()
        accepted = await app.submit(RunRequest(input={"messages": [{"role": "user", "content": QUESTION}]}))
        (home / "accepted").write_text(accepted.run_id, "utf-8")
        events = [recorded.event.type async for recorded in app.follow(accepted.run_id)]
    return {"last": events[-1]}


async def answer(home: Path, crash_at: int) -> dict[str, Any]:
    """Say that what was broken off is to be done again."""
    async with build_app(settings_of(home, crash_at)) as app:
        await app.start_worker()
        [asked] = await app.records.runs()
        accepted = await app.submit(RunRequest(thread_id=asked.thread_id, resume="again"))
        (home / "accepted").write_text(accepted.run_id, "utf-8")
        events = [recorded.event.type async for recorded in app.follow(accepted.run_id)]
    return {"last": events[-1]}


async def recover(home: Path, *, answering: bool = True) -> dict[str, Any]:
    """Finish what is there, and tell what came of it; a person who knows what happened answers what is asked."""
    async with build_app(settings_of(home)) as app:
        await app.start_worker(every_thread=True)
        asked: list[str] = []
        for run in await app.records.runs():
            [_ async for _ in app.follow(run.run_id)]
        while (
            answering
            and (runs := await app.records.runs())
            and (open_ := await app.records.questions(runs[0]))
        ):
            asked.append(open_[0].value["tool"])
            said = {"result": "sent hello"} if _effects(home, "send") else "again"
            accepted = await app.submit(RunRequest(thread_id=runs[0].thread_id, resume=said))
            [_ async for _ in app.follow(accepted.run_id)]
        runs = (await app.records.runs())[::-1]
        logs = [[[one.seq, one.event.type] async for one in app.follow(run.run_id)] for run in runs]
        texts = [m.text for m in await app.records.messages(runs[0].thread_id)] if runs else []
        return {"asked": asked, "logs": logs, "messages": texts, "runs": [run.run_id for run in runs]}


def _effects(home: Path, tool: str) -> list[str]:
    """Return the keys of what a tool has done."""
    path = home / "effects"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [line["key"] for line in map(json.loads, lines) if line["tool"] == tool]


def _is_unknown(home: Path) -> bool:
    """Say whether a dead process left `send` begun, with nobody's word on it: the first time, or after "again"."""
    copy = shutil.copytree(
        home, home.with_name(f"{home.name} looked into")
    )  # to look moves the write-ahead log
    connection = sqlite3.connect(copy / "motet.db")
    try:
        begun = connection.execute(
            "SELECT asks FROM tool_calls WHERE tool = 'send' AND status = 'open'"
        ).fetchone()
        (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    finally:
        connection.close()
    return begun is not None and (begun[0] > 0 or runs == 1)


def fork(work: Callable[[], Coroutine[Any, Any, dict[str, Any]]], out: Path) -> int:
    """Do `work` in a process of its own; its result goes to `out`. Return the exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            out.write_text(json.dumps(asyncio.run(work())), "utf-8")
            status = 0
        except BaseException:  # a fork must not run on in its parent's code
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def try_all(folder: Path, start: Path, work: Callable[[Path, int], Coroutine[Any, Any, Any]]) -> Path | None:
    """Crash `work` at each point, from the same start; return what was left where a call was begun and not made."""
    begun: Path | None = None
    for number in range(1, 1000):
        home = folder / str(number)
        shutil.copytree(start, home)
        status = fork(partial(work, home, number), home / "asked")
        left = folder / f"{number} left"
        shutil.copytree(home, left)
        line: dict[str, Any] = {"phase": folder.name, "point": number, "status": status}
        line["accepted"] = (home / "accepted").read_text("utf-8") if (home / "accepted").exists() else None
        line["recovery"] = fork(partial(recover, home), home / "out")
        if line["recovery"] == 0:
            line |= json.loads((home / "out").read_text("utf-8"))
        line["unknown"] = _is_unknown(left)
        line["effects"] = {tool: _effects(home, tool) for tool in ("send", "book")}
        print(json.dumps(line), flush=True)
        if line.get("asked") and not _effects(left, "send"):
            begun = left
        if status != STATUS:
            break
    return begun


def main(folder: Path) -> None:
    import_module("crash_loop")
    empty, questions, answers = folder / "empty", folder / "question", folder / "answer"
    for made in (empty, questions, answers):
        made.mkdir()
    fork(partial(recover, empty), empty / "out")  # makes the database
    asyncio.run(ask(shutil.copytree(empty, folder / "warm"), 0))  # imports everything
    gc.freeze()
    begun = try_all(questions, empty, ask)
    assert begun is not None
    fork(partial(recover, begun, answering=False), begun / "out")
    (begun / "accepted").unlink(missing_ok=True)
    try_all(answers, begun, answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
