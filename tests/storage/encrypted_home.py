"""A database with a thread in it, encrypted or not, and ways to look at its rows and change them past every check."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from motet import App, RunRequest, Settings, build_app
from motet.app.webhooks import build_postman
from motet.errors import StateCorrupt
from motet.memory.fact import Source
from motet.runs.recordings.store import load
from motet.runs.webhooks.rows import read as read_told
from motet.secret import Secret
from motet.storage.encryption import SEALED, Sealed
from motet.storage.seal import load_seal
from motet.storage.tables import tool_calls, webhooks

OLD, NEW = "an old key of some length", "a new key of some length"
SAID = "xylophone"
NAMES = [f"{sealed.column.table.name}.{sealed.column.name}" for sealed in SEALED]


def scripted(settings: Settings, tmp_path: Path) -> Settings:
    script = tmp_path / "script.json"
    rules = [
        {"user": "wrong key", "reply": {"fault": "auth"}},
        {"after": "calculator", "reply": f"You said {SAID}."},
        {"user": "^calculate", "reply": {"tool": "calculator", "arguments": {"expression": "6 * 7"}}},
    ]
    script.write_text(json.dumps({"rules": rules, "default": f"You said {SAID}."}))
    return settings.replace(models__default=f"scripted:{script}", models__embed="none")


def with_key(settings: Settings, key: str) -> Settings:
    return settings.replace(storage__encryption_key=Secret(key))


TOLD = {"url": f"http://127.0.0.1:9/?{SAID}", "wire": "motet"}


async def talk(settings: Settings, thread_id: str = "one") -> None:
    """Three turns of a thread, one with a tool call, a run that fails, all recorded and told of, and a schedule."""
    async with build_app(settings.replace(egress__webhooks="*")) as app:
        for text in (
            f"I say {SAID} " * 30,
            f"Again {SAID}",
            f"calculate {SAID}",
            f"the wrong key for {SAID}",
        ):
            words = {"messages": [{"role": "user", "content": text}]}
            asked: dict[str, Any] = {"input": words, "thread_id": thread_id, "create_thread": True}
            asked |= {"graph": "chat", "options": {"record": True}, "webhook": TOLD}
            async for _ in app.stream(RunRequest.model_validate(asked)):
                pass
        postman = build_postman(app, app._rooms)
        await postman.look()  # writes what would be sent, and is not let out to this machine
        await asyncio.gather(*postman._under_way)
        words = {"messages": [{"role": "user", "content": SAID}]}
        request = RunRequest.model_validate({"input": words, "graph": "chat"})
        if thread_id not in [made.name for made in await app.schedules.list()]:
            await app.schedules.add("0 0 1 1 *", request, name=thread_id, details={"note": SAID})
        await app.memories.write(f"The user has a {SAID} called {thread_id}.", source=Source(thread_id))


async def read(settings: Settings, thread_id: str = "one") -> list[Any]:
    """Read everything of a thread that is stored encrypted."""
    async with build_app(settings) as app:
        graph: Any = await app.graph("chat")
        history = graph.aget_state_history({"configurable": {"thread_id": thread_id}})
        found: list[Any] = [[m.text for m in state.values.get("messages", [])] async for state in history]
        for run in await app.records.runs(thread_id):
            found.append([recorded.event async for recorded in app.follow(run.run_id)])
            found.append(run.error)
            found.append(
                await app._rooms.database.read(lambda c, run=run: load(c, app.tenant_id, run.run_id))
            )
        for made in await app.schedules.list():
            if made.request is None:
                raise StateCorrupt(made.error or "")
            found += [made.request.input, made.details] if made.name == thread_id else []
        found += results(app, settings, thread_id)
        told = sa.select(webhooks, sa.literal(0.0).label("now")).where(webhooks.c.thread_id == thread_id)
        told = told.order_by(webhooks.c.run_id)
        found += await app._rooms.database.read(lambda c: [read_told(c, row) for row in c.execute(told)])
        known = await app.memories.recall(SAID)
        return [*found, [memory.text for memory in known if memory.source.thread_id == thread_id]]


def results(app: App, settings: Settings, thread_id: str) -> list[bytes]:
    """Read what the ledger has of a thread's tool calls."""
    query = sa.select(tool_calls).where(tool_calls.c.thread_id == thread_id).order_by(tool_calls.c.call_key)
    rows = app._rooms.database.read_sync(lambda c: c.execute(query).all())
    seal = load_seal(settings.storage)
    return [seal.unseal(row.result, row.tenant_id, "tool_calls", row.call_key) for row in rows]


async def read_all(settings: Settings) -> None:
    for thread_id in ("one", "two"):
        await read(settings, thread_id)


@contextmanager
def opened(settings: Settings) -> Generator[sa.Connection]:
    """A connection past every check."""
    engine = sa.create_engine(settings.storage.database_url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


Found = list[tuple[dict[str, Any], Any]]


def rows(settings: Settings, sealed: Sealed) -> Found:
    """Return a column's values, each with the key of its row."""
    keys = list(sealed.column.table.primary_key)
    query = (
        sa.select(*keys, sealed.column.label("sealed_value"))
        .where(sealed.column.is_not(None))
        .order_by(*keys)
    )
    with opened(settings) as connection:
        found = connection.execute(query).mappings().all()
    return [({key.name: row[key.name] for key in keys}, _plain(row["sealed_value"])) for row in found]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def values(settings: Settings, sealed: Sealed) -> list[Any]:
    return [value for _, value in rows(settings, sealed)]


def put(settings: Settings, sealed: Sealed, key: dict[str, Any], value: Any) -> None:
    """Write a value into a row, past everything."""
    table = sealed.column.table
    this = sa.and_(*(table.c[name] == part for name, part in key.items()))
    with opened(settings) as connection:
        connection.execute(sa.update(table).where(this).values({sealed.column.name: value}))
