"""`motet runs work` in processes of its own: several on one database, and what signals do to them."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_process import Motet

from motet import Caller, RunRequest, Settings
from motet.app import App

GRAPH = """
import asyncio, json, os
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph


def write(**line):
    file = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps(line) + "\\n").encode())
    os.close(file)


def build(parts):
    async def node(state: MessagesState):
        text = state["messages"][-1].text
        said = await parts.agents.deep.chat.ainvoke(state["messages"])
        write(what="begin", text=text, seen=len(state["messages"]), pid=os.getpid())
        await asyncio.sleep(float(text.split()[1]))
        write(what="end", text=text, seen=len(state["messages"]), pid=os.getpid())
        return {"messages": [AIMessage(said.text)]}

    builder = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()
"""


class Shop(Motet):
    """A home with a graph that appends to a file when it begins and ends, and workers."""

    def __init__(self, folder: Path, database_url: str | None) -> None:
        super().__init__(folder)
        self.effects = folder / "effects.jsonl"
        (folder / "effects_graph.py").write_text(GRAPH, "utf-8")
        (folder / "motet.toml").write_text('[graphs]\neffects = "effects_graph:build"\n', "utf-8")
        self.environment |= {
            "PYTHONPATH": str(folder),
            "MOTET_GRAPH": "effects",
            "EFFECTS": str(self.effects),
        }
        if database_url is not None:
            self.environment["MOTET_DATABASE_URL"] = database_url
        self.workers: list[subprocess.Popen[str]] = []

    def app(self, tenant_id: str = "local") -> App:
        return App(Settings.load(environ=self.environment, cwd=self.folder), tenant_id=tenant_id)

    def work(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start a worker and wait until it works."""
        self.environment |= environment
        worker = self.start("runs", "work", *options)
        self.workers.append(worker)
        assert worker.stderr is not None
        assert worker.stderr.readline() == "Working on runs. Ctrl-C or SIGTERM stops.\n"
        return worker

    def lines(self) -> list[dict[str, object]]:
        return (
            [json.loads(line) for line in self.effects.read_text().splitlines()]
            if self.effects.exists()
            else []
        )

    def wait_for_lines(self, count: int) -> None:
        pause = threading.Event()
        for _ in range(600):
            if len(self.lines()) >= count:
                return
            pause.wait(0.05)
        raise AssertionError(f"only {len(self.lines())} lines")


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgresql" else None)
    yield made
    for worker in made.workers:
        worker.kill()
        worker.communicate()


def asks(text: str, thread_id: str, tenant_id: str = "local") -> RunRequest:
    message = {"role": "user", "content": text}
    caller = Caller(tenant_id=tenant_id)
    return RunRequest(caller=caller, thread_id=thread_id, create_thread=True, input={"messages": [message]})


async def test_three_workers_do_each_run_of_two_tenants_once_and_in_order(shop: Shop) -> None:
    places = [(tenant, thread) for tenant in ("acme", "local") for thread in ("t1", "t2", "t3")]
    runs: dict[str, list[str]] = {"acme": [], "local": []}
    async with shop.app("acme") as acme, shop.app() as local:
        apps = {"acme": acme, "local": local}
        workers = [shop.work("--concurrency", "1") for _ in range(3)]
        for turn in range(10):
            for tenant, thread in places:  # both tenants name their threads alike
                accepted = await local.submit(asks(f"{tenant}/{thread} 0.02 {turn}", thread, tenant))
                runs[tenant].append(accepted.run_id)
        for tenant, app in apps.items():
            for run_id in runs[tenant]:
                events = [recorded.event async for recorded in app.follow(run_id)]
                assert events[-1].type == "run.completed"
                run = await app.records.run(run_id)
                assert (run.attempt, run.retries) == (1, 0)
        for tenant, thread in places:
            texts = [m.text for m in await apps[tenant].records.messages(thread) if m.role == "user"]
            assert texts == [f"{tenant}/{thread} 0.02 {turn}" for turn in range(10)]
    lines = shop.lines()
    assert len(lines) == 120
    for tenant, thread in places:
        mine = [line for line in lines if str(line["text"]).startswith(f"{tenant}/{thread} ")]
        told = [(line["what"], line["text"], line["seen"]) for line in mine]
        assert told == [
            (what, f"{tenant}/{thread} 0.02 {turn}", 2 * turn + 1)
            for turn in range(10)
            for what in ("begin", "end")
        ]
    assert {line["pid"] for line in lines} <= {worker.pid for worker in workers}
    assert len({line["pid"] for line in lines}) > 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_lets_the_run_at_work_end_and_begins_no_other(
    shop: Shop, number: signal.Signals
) -> None:
    async with shop.app() as app:
        first, second = [await app.submit(asks(f"{n} 1", "t")) for n in "ab"]
        worker = shop.work("--concurrency", "1")
        shop.wait_for_lines(1)
        worker.send_signal(number)
        _, told = worker.communicate(timeout=30)
        assert worker.returncode == 0
        assert told.splitlines()[-1] == "Stopped. Given back to the queue: 0."
        assert (await app.records.run(first.run_id)).status == "success"
        assert (await app.records.run(second.run_id)).status == "pending"


async def test_what_outlasts_the_grace_goes_back_and_a_second_signal_leaves_at_once(shop: Shop) -> None:
    async with shop.app() as app:
        accepted = await app.submit(asks("a 30", "t"))
        worker = shop.work(MOTET_DRAIN_S="0.2")
        shop.wait_for_lines(1)
        worker.send_signal(signal.SIGTERM)
        assert worker.communicate(timeout=20)[1].endswith("Given back to the queue: 1.\n")
        assert worker.returncode == 0
        run = await app.records.run(accepted.run_id)
        assert (run.status, run.attempt) == ("pending", 0)

        impatient = shop.work(MOTET_DRAIN_S="60")
        shop.wait_for_lines(2)
        impatient.send_signal(signal.SIGTERM)
        assert impatient.stderr is not None
        assert "have 60 s to end" in impatient.stderr.readline()
        impatient.send_signal(signal.SIGTERM)
        impatient.communicate(timeout=10)
        assert impatient.returncode == 143
