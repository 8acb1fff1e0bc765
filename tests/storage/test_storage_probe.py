"""What a SQLite file is, without touching it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from motet.storage.probe import APPLICATION_ID, FileKind, database_file, judge, probe


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite:///b.db", Path.cwd() / "b.db"),
        ("sqlite+pysqlite:////a/文.db", Path("/a/文.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:/a/b.db?mode=ro&uri=true", None),
        ("postgresql+psycopg://u@h/n", None),
    ],
)
def test_the_file_of_a_url(url: str, file: Path | None) -> None:
    assert database_file(url) == file


def test_the_kind_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a?b%20 文#.db"
    assert probe(path) is FileKind.NEW
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
        assert probe(path) is FileKind.NEW
        connection.execute("CREATE TABLE books (title TEXT)")
        connection.commit()
        assert probe(path) is FileKind.FOREIGN
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.commit()
        assert probe(path) is FileKind.OURS
    path.write_text("text")
    assert probe(path) is FileKind.NO_DATABASE
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("tables", "kind"),
    [
        ([], FileKind.NEW),
        (["alembic_version"], FileKind.FOREIGN),
        (["threads", "runs"], FileKind.FOREIGN),
        (["alembic_version", "threads", "runs", "more"], FileKind.OURS),
    ],
)
def test_the_names_of_tables_tell(tables: list[str], kind: FileKind) -> None:
    assert judge(tables) is kind
