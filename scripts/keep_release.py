"""Keeps a database of a released schema, made by that release's own code, for the tests that move it forward.

    python -m scripts.keep_release v0.1.0      # or any commit

The commit's code is unpacked into a temporary folder and lives a short life there with the scripted model: threads of
both graphs, documents, memories, a run that failed, one that waits for a person, and one that was accepted and not
begun. What it leaves goes to tests/storage/released/SCHEMA/: the database (compressed), the key that its state is
sealed with, the graphs that it needs, and what must be found in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RELEASED = ROOT / "tests" / "storage" / "released"

GRAPHS = '''"""The graph of the kept database that asks a person: its run waits for the answer."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt


def build_desk() -> Any:
    """Ask whether to go on, and say what was answered."""

    def look(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("The bill is 120 euros.")]}

    def ask(state: MessagesState) -> dict[str, Any]:
        answer = interrupt({"question": "Pay 120 euros?", "用途": "车票"})
        return {"messages": [AIMessage(f"You said {answer}.")]}

    builder = StateGraph(MessagesState)
    builder.add_node("look", look)
    builder.add_node("ask", ask)
    builder.add_edge(START, "look")
    builder.add_edge("look", "ask")
    builder.add_edge("ask", END)
    return builder
'''

STEPS = [
    {"agent": "retriever", "task": "Find the price of a ticket.", "depends_on": []},
    {"agent": "worker", "task": "Calculate 20 tickets.", "depends_on": [1]},
]

SCRIPT = {
    "rules": [
        {"schema": "Route", "user": "(?i)hello", "reply": {"json": {"route": "direct", "personal": False}}},
        {"schema": "Route", "reply": {"json": {"route": "plan", "personal": False}}},
        {"schema": "Plan", "reply": {"json": {"steps": STEPS}}},
        {"schema": "Queries", "reply": {"json": {"en": "price of a ticket", "zh": "票价"}}},
        {"schema": "Facts", "user": "Ada", "reply": {"json": {"facts": ["The user is called Ada."]}}},
        {"schema": "Facts", "user": "->", "reply": {"json": {"facts": []}}},
        {"schema": "Facts", "reply": {"json": {"facts": []}}},
        {"schema": "Review", "reply": {"json": {"enough": True, "missing": ""}}},
        {"user": "(?i)wrong key", "reply": {"fault": "auth"}},
        {"after": "calculator", "reply": "They cost 240 euros."},
        {
            "user": "(?i)tickets",
            "times": 2,
            "reply": {"tool": "calculator", "arguments": {"expression": "20 * 12"}},
        },
        {"user": "(?i)tickets|票", "reply": "A ticket costs 12 euros [1]; 二十张 240 欧元。"},
    ],
    "default": "Hello, 你好。",
}

DOCUMENTS = {
    "prices.md": "# Prices\n\nA ticket costs 12 euros. Groups of ten or more pay 10 % less.\n",
    "票价.md": "# 票价\n\n每张票的价格是十二欧元。冬天没有船。\n",
}

SPOKEN = {
    "chat": ["My name is Ada.", "How much do 20 tickets cost?", "谢谢，再见！"],
    "ensemble": ["What do 20 tickets cost?", "Hello again"],
}


def main() -> None:
    """Unpack a commit, let it live, and keep what it leaves."""
    if sys.argv[1:2] == ["--live"]:
        asyncio.run(live(Path(sys.argv[2])))
        return
    reference = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="motet-release-") as name:
        code, life = Path(name) / "code", Path(name) / "life"
        code.mkdir()
        life.mkdir()
        unpack(reference, code)
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(code), "HOME": name}
        command = [sys.executable, "-P", __file__, "--live", str(life)]
        subprocess.run(command, cwd=life, env=environment, check=True)
        print(f"kept in {keep(life)}")


def unpack(reference: str, folder: Path) -> None:
    """Write a commit's files into a folder."""
    git = shutil.which("git") or sys.exit("git is needed")
    packed = subprocess.run([git, "archive", reference], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def keep(life: Path) -> Path:
    """Store a life's database and what belongs to it; return the folder."""
    database = life / "home" / "motet.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
        schema = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    folder = RELEASED / schema
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "motet.db.gz").write_bytes(gzip.compress(database.read_bytes(), 9, mtime=0))
    shutil.copy(life / "home" / "keys", folder / "keys")
    for name in ("desk.py", "script.json", "expected.json"):
        shutil.copy(life / name, folder / name)
    return folder


async def live(life: Path) -> None:
    """Run the story in this process, with whatever Motet is imported here."""
    from motet import Settings, build_app  # noqa: PLC0415  # the commit's own

    (life / "desk.py").write_text(GRAPHS, "utf-8")
    (life / "script.json").write_text(json.dumps(SCRIPT, ensure_ascii=False, indent=1) + "\n", "utf-8")
    sys.path.insert(0, str(life))
    settings = Settings.load(
        {"storage.home": life / "home", "models.default": f"scripted:{life}/script.json"}
    )
    settings = dataclasses.replace(settings, graphs={"desk": "desk:build_desk"})
    told: dict[str, Any] = {"threads": {}}
    async with build_app(settings) as app:
        await _take_in(app, life)
        for graph, turns in SPOKEN.items():
            thread_id = None
            for text in turns:
                thread_id = await _turn(app, graph, text, thread_id)
            told["threads"][graph] = thread_id
        told["threads"]["failed"] = await _turn(app, "chat", "You have the wrong key", None)
        told["threads"]["desk"] = await _turn(app, "desk", "请付车票钱", None)
        told["expected"] = await _look(app, told["threads"])
    async with build_app(settings) as app:  # no worker: accepted, and not begun
        accepted = await app.submit(_asks("chat", "Are you still there?", None))
        told["threads"]["pending"] = accepted.thread_id
    (life / "expected.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


async def _take_in(app: Any, life: Path) -> None:
    for name, text in DOCUMENTS.items():
        (life / name).write_text(text, "utf-8")
    await app.knowledge.add([life / name for name in DOCUMENTS])


def _asks(graph: str, text: str, thread_id: str | None) -> Any:
    from motet import RunRequest  # noqa: PLC0415  # the commit's own

    words = {"messages": [{"role": "user", "content": text}]}
    return RunRequest.model_validate({"graph": graph, "input": words, "thread_id": thread_id})


async def _turn(app: Any, graph: str, text: str, thread_id: str | None) -> str:
    async for recorded in app.stream(_asks(graph, text, thread_id)):
        thread_id = recorded.thread_id
    assert thread_id is not None
    return thread_id


async def _look(app: Any, threads: dict[str, str]) -> dict[str, Any]:
    """Return what stands in the database, as this version reads it."""
    found: dict[str, Any] = {}
    for name, thread_id in threads.items():
        graph = "chat" if name == "failed" else name
        messages = await app.records.messages(thread_id)
        state = await (await app.graph(graph)).aget_state({"configurable": {"thread_id": thread_id}})
        found[name] = {
            "transcript": [[m.role, m.text] for m in messages],
            "citations": [[passage.source.rpartition("/")[2] for passage in m.citations] for m in messages],
            "state": [[m.type, m.text] for m in state.values["messages"]],
            "runs": [[run.status, run.last_seq] for run in await app.records.runs(thread_id)],
        }
    memories = await app.memories.all()
    return found | {"memories": [memory.text for memory in memories]}


if __name__ == "__main__":
    main()
