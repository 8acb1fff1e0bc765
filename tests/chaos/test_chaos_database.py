"""The rig's own SQL reads what Motet wrote, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState

from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from tests.chaos.database import read_rows
from tests.runs.studio import Studio, graph_of


async def echo(state: MessagesState) -> dict[str, list[AIMessage]]:
    return {"messages": [AIMessage("answer")]}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_rows_are_those_that_motet_wrote(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    settings = Settings.load({"storage.home": tmp_path, "storage.database_url": url}, cwd=tmp_path)
    database = Database(settings.storage)
    prepare(database, settings.storage)
    try:
        studio = Studio(database, settings, {"echo": graph_of(echo)})
        worker = await studio.work()
        accepted = await studio.submit("order m1", idempotency_key="m1")
        events = await studio.events(accepted.run_id)
        await worker.aclose()
    finally:
        database.close()
    rows = read_rows(url)
    assert [(row["run_id"], row["status"], row["idempotency_key"]) for row in rows.runs] == [
        (accepted.run_id, "success", "m1")
    ]
    assert [(e["seq"], e["type"]) for e in rows.events] == [(i, e.type) for i, e in enumerate(events, 1)]
    assert [(m["role"], m["text"]) for m in rows.messages] == [("user", "order m1"), ("assistant", "answer")]
    assert rows.integrity == "ok"
