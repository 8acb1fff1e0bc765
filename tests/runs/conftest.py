"""Graphs that behave as the tests of the engine room need them to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState
from langgraph.types import interrupt
from studio import Studio, graph_of, open_database, open_studio

from motet.settings import Settings
from motet.storage.engine import Database


async def echo(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"echo {state['messages'][-1].text}")]}


async def fail(state: MessagesState) -> dict[str, Any]:
    raise RuntimeError(f"no luck with {state['messages'][-1].text}")


async def wait(state: MessagesState) -> dict[str, Any]:
    await asyncio.sleep(60)
    return {"messages": [AIMessage("too late")]}


async def ask(state: MessagesState) -> dict[str, Any]:
    answer = interrupt({"question": "really?"})
    return {"messages": [AIMessage(f"you said {answer}")]}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    """A fresh database with every table: each test of the engine room runs on both kinds."""
    storage = settings.storage
    if request.param == "postgresql":
        storage = replace(storage, database_url=request.getfixturevalue("postgres_url"))
    with open_database(storage) as made:
        yield made


@pytest.fixture
async def studio(database: Database, settings: Settings) -> AsyncIterator[Studio]:
    """A studio with four graphs: `echo` (the default), `fail`, `wait` and `ask`."""
    graphs = {
        name: graph_of(node) for name, node in {"echo": echo, "fail": fail, "wait": wait, "ask": ask}.items()
    }
    async with open_studio(database, settings, graphs) as made:
        yield made
