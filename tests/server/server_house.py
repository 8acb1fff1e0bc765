"""A whole server on a socket of this machine, in the test's own loop, over the scripted model."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import httpx
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt

from motet import Settings, build_app
from motet.app import App
from motet.app.serving import open_serving
from motet.server.office import Office

HERE = "server_house"


async def _echo(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"echo {state['messages'][-1].text}")]}


async def _ask(state: MessagesState) -> dict[str, Any]:
    answer = interrupt({"question": "really?"})
    return {"messages": [AIMessage(f"you said {answer}")]}


async def _fail(state: MessagesState) -> dict[str, Any]:
    raise RuntimeError(f"no luck with {state['messages'][-1].text}")


async def _wait(state: MessagesState) -> dict[str, Any]:
    await asyncio.sleep(3600)
    return {}


def _graph(node: Any, state: type[Any] = MessagesState) -> Any:
    builder = StateGraph(state)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile()


def build_echo(_parts: Any) -> Any:
    return _graph(_echo)


def build_ask(_parts: Any) -> Any:
    return _graph(_ask)


def build_wait(_parts: Any) -> Any:
    return _graph(_wait)


def build_fail(_parts: Any) -> Any:
    return _graph(_fail)


class Odd(MessagesState, total=False):
    odd: Any


async def _odd(state: Odd) -> dict[str, Any]:
    """Leave what JSON has no word for."""
    kind = state["messages"][-1].text
    value = {"nan": {"score": float("nan")}, "inf": [float("inf")], "half": "a\ud83d"}[kind]
    get_stream_writer()(value)
    return {"odd": value, "messages": [AIMessage(f"odd {value if kind == 'half' else kind}")]}


def build_odd(_parts: Any) -> Any:
    return _graph(_odd, Odd)


class Count(TypedDict):
    messages: list[Any]
    n: int


async def _step(state: Count) -> dict[str, Any]:
    """Say which step this is; every one but the first waits for a file."""
    n = state.get("n", 0)
    get_stream_writer()(n)
    gate = os.environ.get("MOTET_GATE", "")
    while n and gate and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240  # a test touches it
        await asyncio.sleep(0.02)
    return {"n": n + 1}


def build_steps(_parts: Any) -> Any:
    builder = StateGraph(Count)
    builder.add_node("step", _step)
    builder.add_edge(START, "step")
    builder.add_conditional_edges("step", lambda state: END if state["n"] >= 4 else "step")
    return builder.compile()


GRAPHS = {name: f"{HERE}:build_{name}" for name in ("echo", "ask", "fail", "wait", "steps", "odd")}

SCRIPT: dict[str, Any] = {
    "rules": [
        {"schema": "Route", "reply": {"json": {"route": "direct", "personal": False}}},
        {"user": "(?i)name", "reply": "Your name is Ada."},
        {"after": "calculator", "reply": "It is 42."},
        {
            "user": "(?i)how much",
            "reply": {"tool": "calculator", "arguments": {"figures": [], "expression": "6 * 7"}},
        },
    ],
    "default": "Hello there.",
}


def server_settings(settings: Settings, tmp_path: Path, **changes: Any) -> Settings:
    """Settings of a server on a free port, over the scripted model, with this file's graphs."""
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT), "utf-8")
    overrides: dict[str, Any] = {
        "storage.home": settings.storage.home,
        "models.default": f"scripted:{path}",
        "models.embed": "none",
        "server.port": 0,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    lines = ["[graphs]", *(f'{name} = "{target}"' for name, target in GRAPHS.items())]
    (project / "motet.toml").write_text("\n".join(lines), "utf-8")
    return Settings.load(overrides, cwd=project)


@dataclass
class House:
    """A server at work."""

    app: App
    office: Office
    url: str
    stop: Callable[[float], Any]
    keys: dict[str, str] = field(default_factory=dict[str, str])

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=15, trust_env=False)


@asynccontextmanager
async def open_house(settings: Settings, *, work: bool = True) -> AsyncIterator[House]:
    """Serve an app; without `work`, runs are accepted and nobody works on them."""
    async with build_app(settings) as app:
        serving = await open_serving(app)
        if work:
            await app.start_worker(every_thread=True)
        served = asyncio.create_task(serving.run())
        try:
            yield House(app, serving.office, f"http://127.0.0.1:{serving.port}", serving.stop)
        finally:
            await serving.stop(0)
            await served


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"input": {"messages": [{"role": "user", "content": text}]}, **more}


async def run_of(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await client.post("/motet/v1/runs", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def events_of(client: httpx.AsyncClient, run_id: str, **headers: str) -> list[dict[str, Any]]:
    """Every event of a run's stream, to its end."""
    answer = await client.get(f"/motet/v1/runs/{run_id}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


async def answered_ask(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    """Start a run of `ask` and return its id when it waits for an answer."""
    accepted = await run_of(client, body)
    assert (await events_of(client, accepted["run_id"]))[-1]["type"] == "run.interrupted"
    return accepted["run_id"]
