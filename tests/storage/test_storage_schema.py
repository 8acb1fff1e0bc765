"""A database is made, moved forward or refused; what is not Motet's stays as it was."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from motet.errors import DatabaseForeign, DatabaseNewer, DatabaseUnavailable
from motet.settings import StorageSettings
from motet.storage import schema
from motet.storage.encryption import READABLE, SEALED
from motet.storage.engine import Database
from motet.storage.schema import HEAD, prepare
from motet.storage.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]


def _settings(url: str | Path) -> StorageSettings:
    return StorageSettings(
        database_url=url if isinstance(url, str) else f"sqlite:///{url}", busy_timeout_s=10
    )


def _prepare(url: str | Path) -> None:
    settings = _settings(url)
    database = Database(settings)
    try:
        prepare(database, settings)
    finally:
        database.close()


def _fingerprint(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'folder' / 'motet.db'}"
    return request.getfixturevalue("postgres_url")


def test_a_new_database_gets_every_table_and_no_other(url: str) -> None:
    _prepare(url)
    _prepare(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": False,
                "include_name": lambda name, kind, _: not (kind == "table" and str(name).startswith("fts_")),
            },
        )
        assert compare_metadata(context, metadata) == []
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    engine.dispose()


def _parts(sql: str) -> list[str]:
    """Take a statement apart at the commas outside of brackets; the order of columns is no matter."""
    head, _, inside = sql.partition("(")
    inside, _, tail = inside.rpartition(")")
    parts, depth = [""], 0
    for char in inside:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return sorted(" ".join(part.split()) for part in (head, *parts, tail))


def test_the_tables_are_made_as_they_are_described(tmp_path: Path) -> None:
    """Word for word: defaults, keys and what only SQLite has (WITHOUT ROWID, AUTOINCREMENT) too."""
    _prepare(tmp_path / "migrated.db")
    described = sa.create_engine(f"sqlite:///{tmp_path / 'described.db'}")
    metadata.create_all(described)
    described.dispose()

    def statements(name: str) -> dict[str, list[str]]:
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        kept = [(key, sql) for key, sql in rows if not key.startswith(("fts_", "alembic_", "sqlite_"))]
        return {key: _parts(sql) for key, sql in kept}

    assert statements("migrated.db") == statements("described.db")


def test_of_each_column_it_is_said_whether_it_is_encrypted() -> None:
    encrypted = {(sealed.column.table.name, sealed.column.name) for sealed in SEALED}
    for table in metadata.sorted_tables:
        found = {c.name for c in table.columns if isinstance(c.type, sa.Text | sa.LargeBinary)}
        said = READABLE.get(table.name, set()) | {name for owner, name in encrypted if owner == table.name}
        assert found == said, (
            f"{table.name}: do {found ^ said} hold people's words? Then SEALED in storage/encryption.py, and closed "
            "and opened where they are written and read, as events.event is. A name, or what is searched: READABLE."
        )


def test_the_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "motet" / "storage" / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == HEAD
    assert len(script.get_bases()) == 1


def test_a_ready_database_needs_no_alembic(tmp_path: Path) -> None:
    _prepare(tmp_path / "motet.db")
    code = (
        "import sys\n"
        "from motet.settings import StorageSettings\n"
        "from motet.storage.engine import Database\n"
        "from motet.storage.schema import prepare\n"
        f"settings = StorageSettings(database_url={f'sqlite:///{tmp_path}/motet.db'!r})\n"
        "database = Database(settings)\n"
        "prepare(database, settings)\n"
        "database.close()\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_several_processes_may_start_at_once(url: str) -> None:
    code = (
        "import sys\n"
        "from motet.settings import StorageSettings\n"
        "from motet.storage.engine import Database\n"
        "from motet.storage.schema import prepare\n"
        "settings = StorageSettings(database_url=sys.argv[1])\n"
        "database = Database(settings)\n"
        "sys.stdin.readline()\n"
        "prepare(database, settings)\n"
        "database.close()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    _prepare(url)


def _next_migration(folder: Path, monkeypatch: pytest.MonkeyPatch, upgrade: str) -> str:
    """Add a migration after the newest one, in a copy of them all; return its number."""
    number = f"{int(HEAD) + 1:04}"
    shutil.copytree(ROOT / "motet" / "storage" / "migrations", folder, dirs_exist_ok=True)
    (folder / "versions" / f"{number}_more.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '{number}', '{HEAD}', None, None\n"
        f"def upgrade():\n    op.add_column('threads', sa.Column('colour', sa.Text()))\n    {upgrade}\n"
    )
    monkeypatch.setattr(schema, "_MIGRATIONS", folder)
    monkeypatch.setattr(schema, "HEAD", number)
    return number


def test_a_failed_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _next_migration(tmp_path / "migrations", monkeypatch, "raise RuntimeError('in the middle')")
    with pytest.raises(RuntimeError):
        _prepare(tmp_path / "motet.db")
    with closing(sqlite3.connect(tmp_path / "motet.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    monkeypatch.undo()
    _prepare(tmp_path / "motet.db")


def test_a_failed_step_forward_leaves_the_older_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _prepare(tmp_path / "motet.db")
    _next_migration(tmp_path / "migrations", monkeypatch, "raise RuntimeError('in the middle')")
    with pytest.raises(RuntimeError):
        _prepare(tmp_path / "motet.db")
    monkeypatch.undo()
    _prepare(tmp_path / "motet.db")
    with closing(sqlite3.connect(tmp_path / "motet.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        assert "colour" not in [row[1] for row in connection.execute("PRAGMA table_info(threads)")]


def test_an_older_database_moves_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _prepare(tmp_path / "motet.db")
    with closing(sqlite3.connect(tmp_path / "motet.db")) as connection:
        connection.execute(
            "INSERT INTO threads (tenant_id, thread_id, owner_id, graph, created_at, updated_at) "
            "VALUES ('t', 'one', 'me', 'chat', 1, 1)"
        )
        connection.commit()
    number = _next_migration(tmp_path / "migrations", monkeypatch, "")
    _prepare(tmp_path / "motet.db")
    _prepare(tmp_path / "motet.db")
    with closing(sqlite3.connect(tmp_path / "motet.db")) as connection:
        assert connection.execute("SELECT thread_id, colour FROM threads").fetchall() == [("one", None)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(number,)]


def test_no_migration_calls_code_that_may_change() -> None:
    """A migration does for ever what it did when it was released: nothing of Motet's is imported."""
    for path in (ROOT / "motet" / "storage" / "migrations" / "versions").glob("*.py"):
        imported = [
            line for line in path.read_text("utf-8").splitlines() if re.match(r"\s*(from|import) motet", line)
        ]
        assert imported == [], path.name


def test_a_newer_database_is_refused_with_both_versions(url: str) -> None:
    _prepare(url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
    engine.dispose()
    with pytest.raises(DatabaseNewer, match=f"schema 0999.*knows {HEAD}") as caught:
        _prepare(url)
    assert caught.value.fields == {"found": "0999", "known": HEAD}


# Not Motet's


def _foreign(path: Path, *statements: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    for statement in ("CREATE TABLE books (title TEXT)", "INSERT INTO books VALUES ('x')", *statements):
        connection.execute(statement)
    connection.commit()
    return connection


def _plain(path: Path) -> None:
    _foreign(path).close()


def _in_wal_mode(path: Path) -> None:
    connection = _foreign(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO books VALUES ('y')")
    connection.commit()
    connection.close()


def _with_alembic(path: Path) -> None:
    _foreign(
        path, "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0001')"
    ).close()


def _with_rows_in_its_log(path: Path) -> None:
    """A database of a program that runs: tables are in the -wal file alone."""
    source = path.with_name("source.db")
    connection = sqlite3.connect(source)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE books (title TEXT)")
    connection.commit()
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{source}{suffix}", f"{path}{suffix}")
    connection.close()
    source.unlink()


def _text(path: Path) -> None:
    path.write_text("Dear diary,\n" * 50)


def _short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00")


def _torn(path: Path) -> None:
    _plain(path)
    path.write_bytes(path.read_bytes()[:100] + os.urandom(3000))


@pytest.mark.parametrize(
    "make",
    [_plain, _in_wal_mode, _with_alembic, _with_rows_in_its_log, _text, _short, _torn],
    ids=lambda f: f.__name__,
)
def test_what_is_not_motets_stays_byte_for_byte(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "data" / "books.db"
    path.parent.mkdir()
    make(path)
    before = _fingerprint(path.parent)
    for _ in range(2):
        with pytest.raises(DatabaseForeign, match=r"books\.db"):
            _prepare(path)
        after = _fingerprint(path.parent)
        before.pop("books.db-shm", None)
        after.pop("books.db-shm", None)  # the index of the log, which any reader may rebuild
        assert after == before


def test_a_foreign_postgresql_database_is_refused(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE books (title TEXT)"))
    with pytest.raises(DatabaseForeign, match="tables of another program"):
        _prepare(postgres_url)
    assert sa.inspect(engine).get_table_names() == ["books"]
    engine.dispose()


def test_an_empty_file_or_database_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    _prepare(tmp_path / "empty.db")
    with closing(sqlite3.connect(tmp_path / "blank.db")) as connection:
        connection.execute("VACUUM")
    _prepare(tmp_path / "blank.db")


def test_a_crash_before_the_first_checkpoint_of_the_log_is_no_harm(tmp_path: Path) -> None:
    """The tables, and the mark that they are Motet's, may be in the -wal file alone."""
    settings = _settings(tmp_path / "one" / "motet.db")
    database = Database(settings)
    prepare(database, settings)
    copy = tmp_path / "two"
    shutil.copytree(tmp_path / "one", copy)
    database.close()
    _prepare(copy / "motet.db")


def test_a_folder_or_an_unreachable_place_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(DatabaseUnavailable, match="cannot be read"):
        _prepare(tmp_path / "folder.db")
    with pytest.raises(DatabaseUnavailable, match="cannot be used"):
        _prepare("postgresql+psycopg://nobody@127.0.0.1:9/none?connect_timeout=2")


@pytest.mark.skipif(os.geteuid() != 0, reason="to become another user takes root")
@pytest.mark.parametrize("made_before", [False, True], ids=["new", "ready"])
def test_a_read_only_place_says_so(made_before: bool) -> None:
    import tempfile

    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    folder.chmod(0o755)
    try:
        if made_before:
            _prepare(folder / "motet.db")
        child = os.fork()
        if not child:
            code = 1
            try:
                os.setgid(65534)
                os.setuid(65534)
                with pytest.raises(DatabaseUnavailable, match="read-only"):
                    _prepare(folder / "motet.db")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shutil.rmtree(folder)


def test_vectors_of_the_first_store_are_made_anew_by_the_next_search(tmp_path: Path) -> None:
    """Schema 0001 kept one vector in the item's row; its texts are found again, the items are untouched."""
    file = tmp_path / "motet.db"
    config = Config()
    config.set_main_option("script_location", str(ROOT / "motet" / "storage" / "migrations"))
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        insert = "INSERT INTO store_items VALUES ('t', :namespace, :key, '{}', :vector, '', 1, 1, NULL, NULL)"
        rows = [("memories\x1f", "m", None), ("notes\x1f", "n", b"1234"), ("notes\x1f", "plain", None)]
        for namespace, key, vector in rows:
            connection.execute(sa.text(insert), {"namespace": namespace, "key": key, "vector": vector})
        connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    engine.dispose()
    _prepare(file)
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT key, path, vector FROM store_texts ORDER BY key").fetchall()
        assert found == [("m", "text", None), ("n", "$", None)]
        assert connection.execute("SELECT count(*) FROM store_items").fetchone() == (3,)
