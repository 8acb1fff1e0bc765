"""A database of every released schema, made by that release's own code, moves forward and goes on where it was.

`python -m scripts.keep_release COMMIT` makes such a database (tests/storage/released).
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from motet import RunRequest, Settings, build_app
from motet.runs.request import RunOptions
from motet.storage import schema
from motet.storage.schema import HEAD
from motet.storage.search import fts_document

if TYPE_CHECKING:
    from motet.app import App

RELEASED = Path(__file__).parent / "released"
SCHEMAS = sorted(path.name for path in RELEASED.iterdir())


class Release:
    """A kept database, unpacked, and what must be found in it."""

    def __init__(self, version: str, folder: Path) -> None:
        kept = RELEASED / version
        self.version = version
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "motet.db").write_bytes(gzip.decompress((kept / "motet.db.gz").read_bytes()))
        shutil.copy(kept / "keys", self.home / "keys")
        self.script = kept / "script.json"
        told = json.loads((kept / "expected.json").read_text("utf-8"))
        self.threads: dict[str, str] = told["threads"]
        self.expected: dict[str, Any] = told["expected"]

    def settings(self, database_url: str) -> Settings:
        """Return settings for the kept database in its place, or on a server."""
        settings = Settings.load(
            {
                "storage.home": self.home,
                "storage.database_url": database_url or None,
                "models.default": f"scripted:{self.script}",
                "models.embed": "none",
            }
        )
        return dataclasses.replace(settings, graphs={"desk": "desk:build_desk"})


@pytest.fixture(params=SCHEMAS)
def release(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    monkeypatch.syspath_prepend(str(RELEASED / request.param))
    return Release(request.param, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def moved(request: pytest.FixtureRequest, release: Release) -> Settings:
    """Settings of a Motet of this version on the kept database."""
    if request.param == "sqlite":
        return release.settings("")
    url: str = request.getfixturevalue("postgres_url")
    carry_to_postgres(release, url)
    return release.settings(url)


def carry_to_postgres(release: Release, url: str) -> None:
    """Make the release's schema on a server and copy every row into it."""
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    theirs = sa.create_engine(url)
    ours = sa.create_engine(f"sqlite:///{release.home / 'motet.db'}")
    with ours.connect() as source, theirs.begin() as target:
        config.attributes["connection"] = target
        command.upgrade(config, release.version)
        tables = sa.MetaData()
        tables.reflect(target)
        for table in tables.sorted_tables:
            if table.name.startswith(("fts_", "alembic_")):
                continue
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            rows = source.execute(sa.text(f"SELECT {names} FROM {table.name}")).mappings().all()
            if rows:
                target.execute(sa.insert(table), [_fitting(table, dict(row)) for row in rows])
            _count_on(target, table)
        _index(target)
    ours.dispose()
    theirs.dispose()


def _fitting(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of SQLite, which has no booleans, with values of the columns' types."""
    kinds = {column.name: column.type for column in table.columns}
    return {name: bool(v) if isinstance(kinds[name], sa.Boolean) else v for name, v in row.items()}


def _count_on(target: sa.Connection, table: sa.Table) -> None:
    """Have a numbered table count on after the highest number."""
    for column in table.primary_key:
        sequence = sa.select(sa.func.pg_get_serial_sequence(table.name, column.name))
        name = target.execute(sequence).scalar() if isinstance(column.type, sa.BigInteger) else None
        if name:
            highest = target.execute(sa.select(sa.func.max(column))).scalar()
            if highest:
                target.execute(sa.select(sa.func.setval(name, highest)))


def _index(target: sa.Connection) -> None:
    """Fill the full-text tables, as the release did it."""
    rows = target.execute(sa.text("SELECT message_key, tenant_id, text FROM messages")).all()
    for key, scope, text in rows:
        terms = fts_document(text)
        target.execute(
            sa.text(
                "INSERT INTO fts_messages VALUES (:key, :scope, :length, to_tsvector('english', :terms))"
            ),
            {"key": key, "scope": scope, "length": terms.count(" ") + 1, "terms": terms},
        )


def asks(text: str, thread_id: str, graph: str) -> RunRequest:
    words = {"messages": [{"role": "user", "content": text}]}
    return RunRequest.model_validate({"input": words, "thread_id": thread_id, "graph": graph})


async def told(app: App, request: RunRequest) -> list[str]:
    return [recorded.event.type async for recorded in app.stream(request)]


async def look(app: App, thread_id: str, graph: str) -> dict[str, Any]:
    messages = await app.records.messages(thread_id)
    state = await (await app.graph(graph)).aget_state({"configurable": {"thread_id": thread_id}})
    return {
        "transcript": [[m.role, m.text] for m in messages],
        "citations": [[passage.source.rpartition("/")[2] for passage in m.citations] for m in messages],
        "state": [[m.type, m.text] for m in state.values["messages"]],
        "runs": [[run.status, run.last_seq] for run in await app.records.runs(thread_id)],
    }


def stored_version(settings: Settings) -> str | None:
    engine = sa.create_engine(settings.storage.database_url)
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    return found


def test_every_schema_that_was_released_is_kept() -> None:
    assert SCHEMAS[0] == "0001"
    assert sorted(set(SCHEMAS)) == SCHEMAS
    assert all(version <= HEAD for version in SCHEMAS)


async def test_what_was_stored_is_all_there(release: Release, moved: Settings) -> None:
    assert stored_version(moved) == release.version
    async with build_app(moved) as app:
        assert stored_version(moved) == HEAD
        names = {"failed": "chat"}
        for name in ("chat", "ensemble", "failed", "desk"):
            found = await look(app, release.threads[name], names.get(name, name))
            assert found == release.expected[name], name
        assert [memory.text for memory in await app.memories.all()] == release.expected["memories"]
        for words in ("tickets", "车票"):
            assert [hit for hit in await app.records.search(words) if words in hit[1].text], words
        run = (await app.records.runs(release.threads["chat"]))[0]
        events = [recorded.seq async for recorded in app.follow(run.run_id)]
        assert events == list(range(1, run.last_seq + 1))


async def test_the_threads_go_on(release: Release, moved: Settings) -> None:
    async with build_app(moved) as app:
        for graph in ("chat", "ensemble"):
            before = release.expected[graph]
            kinds = await told(app, asks("Hello once more", release.threads[graph], graph))
            assert kinds[-1] == "run.completed"
            after = await look(app, release.threads[graph], graph)
            assert after["transcript"][: len(before["transcript"])] == before["transcript"]
            assert after["transcript"][-2:] == [["user", "Hello once more"], ["assistant", "Hello, 你好。"]]
            assert after["state"][: len(before["state"])] == before["state"]
            assert after["state"][-1] == ["ai", "Hello, 你好。"]


async def test_what_waits_for_a_person_is_answered(release: Release, moved: Settings) -> None:
    thread_id = release.threads["desk"]
    async with build_app(moved) as app:
        assert (await app.records.thread(thread_id)).status == "interrupted"
        request = RunRequest.model_validate({"resume": "是的", "thread_id": thread_id, "graph": "desk"})
        assert (await told(app, request))[-1] == "run.completed"
        assert (await app.records.messages(thread_id))[-1].text == "You said 是的."
        assert (await look(app, thread_id, "desk"))["state"][-1] == ["ai", "You said 是的."]


async def test_what_was_accepted_is_done(release: Release, moved: Settings) -> None:
    thread_id = release.threads["pending"]
    async with build_app(moved) as app:
        [run_id] = await app.resume_thread(thread_id)
        await app.start_worker()
        kinds = [recorded.event.type async for recorded in app.follow(run_id)]
        assert kinds[-1] == "run.completed"
        assert [m.text for m in await app.records.messages(thread_id)] == [
            "Are you still there?",
            "Hello, 你好。",
        ]


async def test_documents_are_found_and_the_file_is_sound(release: Release) -> None:
    settings = release.settings("")
    async with build_app(settings) as app:
        [search] = [tool for tool in await app.tools(RunOptions()) if tool.name == "search_documents"]
        for words, found in (("price of a ticket", "12 euros"), ("船票 冬天", "冬天没有船")):
            assert found in str(await search.ainvoke({"query": words}))
    with closing(sqlite3.connect(release.home / "motet.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
