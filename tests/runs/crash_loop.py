"""Kill a process at every crash point of a small run, one after the other, and see what a new process makes of it.

`python crash_loop.py FOLDER` prints one JSON line per crash point; the last one has `"crashed": false`: no point was
left. Every process is a fork of this one, which has imported everything already.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from motet.app import HEAVY, build_app
from motet.events import InterruptRequested
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


async def recover(home: Path) -> dict[str, Any]:
    """Finish what is there, and tell what came of it; a person who knows what happened answers what is asked."""
    async with build_app(settings_of(home)) as app:
        await app.start_worker(every_thread=True)
        told: dict[str, Any] = {"asked": [], "logs": [], "messages": []}
        for run in await app.records.runs():
            told["messages"] = run.thread_id
            events = [one async for one in app.follow(run.run_id)]
            told["logs"].append([[one.seq, one.event.type] for one in events])
            while events[-1].event.type == "run.interrupted":
                [question] = [one.event for one in events if isinstance(one.event, InterruptRequested)]
                told["asked"].append(question.value["tool"])
                answer = {"result": "sent hello"} if _effects(home, "send") else "again"
                resume = RunRequest(graph="two", thread_id=run.thread_id, resume=answer)
                accepted = await app.submit(resume)
                events = [one async for one in app.follow(accepted.run_id)]
                told["logs"].append([[one.seq, one.event.type] for one in events])
        if told["messages"]:
            told["messages"] = [m.text for m in await app.records.messages(told["messages"])]
        told["runs"] = [run.run_id for run in await app.records.runs()]
        return told


def _effects(home: Path, tool: str) -> list[str]:
    """Return the keys of what a tool has done."""
    path = home / "effects"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [line["key"] for line in map(json.loads, lines) if line["tool"] == tool]


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


def main(folder: Path) -> None:
    for name in (*HEAVY, "motet.models.roles", "motet.agents.base", "motet.retrieval.search", "crash_loop"):
        import_module(name)
    template = folder / "template"
    template.mkdir()
    fork(lambda: recover(template), template / "out")  # makes the database
    for number in range(1, 1000):
        home = folder / str(number)
        shutil.copytree(template, home)
        status = fork(lambda: ask(home, number), home / "asked")  # noqa: B023  # called at once
        line: dict[str, Any] = {"point": number, "crashed": status == STATUS, "status": status}
        accepted = home / "accepted"
        line["accepted"] = accepted.read_text("utf-8") if accepted.exists() else None
        line["recovery"] = fork(lambda: recover(home), home / "out")  # noqa: B023
        if line["recovery"] == 0:
            line |= json.loads((home / "out").read_text("utf-8"))
        line["effects"] = {tool: _effects(home, tool) for tool in ("send", "book")}
        print(json.dumps(line), flush=True)
        if status != STATUS:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
