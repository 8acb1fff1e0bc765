"""Data that looks like code or like a secret stays data, on every way through a whole Motet; ids are not guessed.

The envelopes are those that LangChain's and LangGraph's own loaders once turned into objects or into the values of
environment variables. Here nothing of theirs is called at all, and the variable's value appears nowhere.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
import sqlalchemy as sa
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

from motet import Caller, RunRequest, Settings, build_app
from motet.app import App
from motet.errors import NotFound
from motet.events import InterruptRequested, RunAccepted, ToolCompleted

langchain_loader: Any = import_module("langchain_core.load.load")

CANARY = "sk-canary-0123456789abcdef"

ENVELOPES: dict[str, Any] = {
    "secret": {"lc": 1, "type": "secret", "id": ["MOTET_API_KEY"]},
    "openai": {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]},
    "constructor": {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "true"}},
    "constructor 2": {
        "lc": 2,
        "type": "constructor",
        "id": ["os", "system"],
        "args": ["true"],
        "method": "__call__",
    },
    "message": {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "AIMessage"],
        "kwargs": {},
    },
    "nested": {"a": [{"lc": 1, "type": "secret", "id": ["MOTET_API_KEY"]}], "lc": 1},
    "name": {"__type__": "os.system", "py/object": "os.system", "ref": "#/etc/passwd"},
}


class Kept(TypedDict):  # the one of `typing`, as other people's graphs have it
    """A state with room for anything."""

    messages: Annotated[list[AnyMessage], add_messages]
    given: Any
    made: Any
    answered: Any


def build_keeper() -> Any:
    """A graph that takes an envelope in, has a tool give it back, asks a person with it, and keeps the answer."""

    def call(state: Kept) -> dict[str, Any]:
        wanted = {"name": "echo", "args": {"value": state["given"]}, "id": "c1"}
        return {"messages": [AIMessage("", tool_calls=[wanted])], "made": (state["given"], [state["given"]])}

    def echo(state: Kept) -> dict[str, Any]:
        text = json.dumps(state["given"])
        message = ToolMessage(
            text,
            tool_call_id="c1",
            name="echo",
            artifact=state["given"],
            additional_kwargs={"raw": state["given"]},
        )
        return {"messages": [message]}

    def ask(state: Kept) -> dict[str, Any]:
        answer = interrupt({"about": state["given"]})
        return {"answered": answer, "messages": [AIMessage("Done.", response_metadata={"raw": answer})]}

    builder: Any = StateGraph(Kept)
    for node in (call, echo, ask):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "call")
    builder.add_edge("call", "echo")
    builder.add_edge("echo", "ask")
    builder.add_edge("ask", END)
    return builder


@pytest.fixture
def guarded(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a Motet in whose process no loader may be called, with a secret in the environment."""

    def called(*_: Any, **__: Any) -> Any:
        raise AssertionError("a loader of objects was called")

    monkeypatch.setattr(langchain_loader.Reviver, "__init__", called)
    for name in ("load", "loads"):
        monkeypatch.setattr(langchain_loader, name, called)
    for name in ("loads_typed", "_revive_lc2", "_reviver"):
        if hasattr(JsonPlusSerializer, name):
            monkeypatch.setattr(JsonPlusSerializer, name, called)
    monkeypatch.setenv("MOTET_API_KEY", CANARY)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"default": "Hello."}))
    with_graph = Settings.load(
        {
            "storage.home": tmp_path / "home",
            "storage.database_url": settings.storage.database_url,
            "models.default": f"scripted:{script}",
            "models.embed": "none",
        }
    )
    (tmp_path / "keeper_graph.py").write_text("from test_stored_data import build_keeper as build\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "keeper_graph", raising=False)
    graphs: Any = with_graph.graphs
    graphs["keeper"] = "keeper_graph:build"
    return with_graph


async def events_of(app: App, request: dict[str, Any]) -> list[Any]:
    return [
        recorded async for recorded in app.stream(RunRequest.model_validate({"graph": "keeper", **request}))
    ]


def stored_bytes(settings: Settings) -> bytes:
    """Return every text and blob of the database."""
    engine = sa.create_engine(settings.storage.database_url)
    found: list[bytes] = []
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        for table in tables.sorted_tables:
            for row in connection.execute(sa.select(table)):
                found += [
                    value.encode() if isinstance(value, str) else bytes(value)
                    for value in row
                    if isinstance(value, str | bytes)
                ]
    engine.dispose()
    return b"\n".join(found)


@pytest.mark.parametrize("name", ENVELOPES)
async def test_an_envelope_is_data_on_every_way(
    name: str, guarded: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    envelope = ENVELOPES[name]
    asked = {
        "messages": [
            {"role": "user", "content": json.dumps(envelope), "additional_kwargs": {"raw": envelope}}
        ]
    }
    async with build_app(guarded) as app:
        events = await events_of(app, {"input": {**asked, "given": envelope}, "metadata": {"raw": envelope}})
        thread_id = events[0].thread_id
        [accepted] = [r.event for r in events if isinstance(r.event, RunAccepted)]
        assert accepted.input["given"] == envelope
        [question] = [r.event for r in events if isinstance(r.event, InterruptRequested)]
        assert question.value == {"about": envelope}
        [told] = [r.event for r in events if isinstance(r.event, ToolCompleted)]
        assert json.loads(told.content) == envelope
        await app.memories._store.aput(("kept",), "one", {"raw": envelope})
    async with build_app(guarded) as app:  # all of it from the disk
        events += await events_of(app, {"resume": envelope, "thread_id": thread_id})
        assert events[-1].event.type == "run.completed"
        assert events[-1].event.output["answered"] == envelope
        graph: Any = await app.graph("keeper")
        config: Any = {"configurable": {"thread_id": thread_id}}
        state = (await graph.aget_state(config)).values
        assert state["given"] == envelope
        assert [*state["made"]] == [envelope, [envelope]]
        assert state["answered"] == envelope
        kinds = {type(message).__name__: message for message in state["messages"]}
        assert kinds["HumanMessage"].additional_kwargs["raw"] == envelope
        assert json.loads(kinds["HumanMessage"].text) == envelope
        assert kinds["ToolMessage"].artifact == envelope
        assert kinds["AIMessage"].response_metadata["raw"] == envelope
        item = await app.memories._store.aget(("kept",), "one")
        assert item is not None
        assert item.value == {"raw": envelope}
        found = await app.memories._store.asearch(("kept",), filter={"raw": envelope})
        assert [hit.value for hit in found] == [{"raw": envelope}]
        history = [snapshot.values async for snapshot in graph.aget_state_history(config)]
        told = [message.text for message in await app.records.messages(thread_id)]
        assert json.loads(told[0]) == envelope
    seen = (
        json.dumps([r.event.model_dump(mode="json") for r in events], default=str) + str(history) + str(told)
    )
    out, err = capfd.readouterr()
    assert CANARY not in seen + out + err
    assert CANARY.encode() not in stored_bytes(guarded)
    assert os.environ["MOTET_API_KEY"] == CANARY


def test_the_guard_would_notice(guarded: Settings) -> None:
    del guarded
    with pytest.raises(AssertionError, match="loader of objects"):
        langchain_loader.loads(json.dumps(ENVELOPES["message"]))
    with pytest.raises(AssertionError, match="loader of objects"):
        JsonPlusSerializer().loads_typed(("json", b"{}"))


# Ids are looked up among the tenant's own, and nothing but the whole id finds them


async def test_a_changed_id_finds_nothing_and_nobody_elses_is_found(guarded: Settings) -> None:
    async with build_app(guarded) as app:
        events = await events_of(
            app, {"input": {"messages": [{"role": "user", "content": "hi"}], "given": 1}}
        )
        run_id, thread_id = events[0].run_id, events[0].thread_id
        for known in (run_id, thread_id):
            for at in range(len(known)):
                letter = "0" if known[at] != "0" else "1"
                changed = known[:at] + letter + known[at + 1 :]
                with pytest.raises(NotFound):
                    await app.records.run(changed)
                with pytest.raises(NotFound):
                    await app.records.thread(changed)
                with pytest.raises(NotFound):
                    [r async for r in app.follow(changed)]
                with pytest.raises(NotFound):
                    await app.submit(
                        RunRequest.model_validate({"thread_id": changed, "resume": 1, "graph": "keeper"})
                    )
        theirs = Caller(tenant_id="theirs", owner_id="somebody")
        with pytest.raises(NotFound):
            await app.submit(RunRequest(caller=theirs, thread_id=thread_id, resume=1, graph="keeper"))
    other = App(guarded, tenant_id="theirs")
    async with other:
        with pytest.raises(NotFound):
            await other.records.run(run_id)
        with pytest.raises(NotFound):
            await other.records.thread(thread_id)
        with pytest.raises(NotFound):
            [r async for r in other.follow(run_id)]
        graph: Any = await other.graph("keeper")
        assert (await graph.aget_state({"configurable": {"thread_id": thread_id}})).values == {}
