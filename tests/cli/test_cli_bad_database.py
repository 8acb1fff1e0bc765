"""A database that cannot be used: one line with its path and what to do, the right status, and not a byte changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_process import Motet

from motet.storage.schema import HEAD

COMMANDS = (("threads", "list"), ("ask", "hello"))


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    motet = Motet(tmp_path)
    motet.environment["MOTET_BUSY_TIMEOUT_S"] = "0.5"
    return motet


@pytest.fixture
def used(motet: Motet) -> Motet:
    """A home with a conversation in it, its log written back into the file."""
    assert motet.here("ask", "hello").returncode == 0
    with closing(sqlite3.connect(motet.home / "motet.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return motet


def database(motet: Motet) -> Path:
    return motet.home / "motet.db"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(motet: Motet, *said: str, unchanged: bool = True, by: str = "here") -> None:
    """Both commands fail with one line that says all of that, the check-up reports it, and the file stays as it is."""
    call = getattr(motet, by)
    path = database(motet)
    before = digest(path) if unchanged else ""
    for arguments in COMMANDS:
        done = call(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("motet: ")
        for words in (str(path), *said):
            assert words in done.stderr
    checked = call("doctor")
    assert checked.returncode == 1
    assert "✗ database: " in checked.stdout
    if unchanged:
        assert digest(path) == before


def execute(motet: Motet, statement: str) -> None:
    with closing(sqlite3.connect(database(motet))) as connection:
        connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_newer_one(used: Motet) -> None:
    execute(used, "UPDATE alembic_version SET version_num = '0999'")
    refused(
        used, "The database sqlite:///", "schema 0999", f"knows {HEAD}", "Install a newer Motet", by="run"
    )  # as it is typed


def test_one_of_another_program(motet: Motet) -> None:
    motet.home.mkdir()
    execute(motet, "CREATE TABLE books (title TEXT)")
    refused(motet, "another program", "MOTET_DATABASE_URL")


@pytest.mark.parametrize(
    "content", [b"Dear diary,\n" * 500, b"SQLite format 3\x00", bytes(5000)], ids=range(3)
)
def test_a_file_that_is_no_database(motet: Motet, content: bytes) -> None:
    motet.home.mkdir()
    database(motet).write_bytes(content)
    refused(motet, "is not a database", "MOTET_HOME")


def test_a_folder_in_its_place(motet: Motet) -> None:
    database(motet).mkdir(parents=True)
    refused(motet, "Is a directory", "MOTET_HOME", unchanged=False)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _header_only(path: Path) -> None:
    os.truncate(path, 4096)


def _overwritten(path: Path) -> None:
    """Every page after the first is noise."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


@pytest.mark.parametrize("damage", [_cut, _header_only, _overwritten], ids=lambda f: f.__name__)
def test_a_damaged_one(used: Motet, damage: Callable[[Path], None]) -> None:
    damage(database(used))
    refused(used, "damaged", "backup")


def test_a_damage_that_a_command_does_not_meet_is_found_by_the_check_up(used: Motet) -> None:
    """One page of an index is noise: lists work, and `motet doctor` looks at every page."""
    path = database(used)
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_store_items_expires_at'"
        [page] = connection.execute(query).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    assert used.here("threads", "list").returncode == 0
    before = digest(path)
    checked = used.here("doctor")
    assert checked.returncode == 1
    assert "is damaged" in checked.stdout
    assert digest(path) == before


def test_a_sound_one_is_well(used: Motet) -> None:
    assert f"✓ database: sqlite:///{database(used)}" in used.here("doctor").stdout


def test_one_that_another_program_keeps_locked(used: Motet) -> None:
    with closing(sqlite3.connect(database(used), isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        done = used.here("ask", "hello")
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1
        assert str(database(used)) in done.stderr
        assert "is locked by another program" in done.stderr
        connection.execute("ROLLBACK")
    assert used.here("ask", "hello").returncode == 0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of one megabyte, where this machine lets us mount one."""
    folder = Path(tempfile.mkdtemp())
    mount, umount = shutil.which("mount"), shutil.which("umount")
    mounted = (
        mount
        and umount
        and subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
        == 0
    )
    if not mounted:
        folder.rmdir()
        pytest.skip("a small disk takes the right to mount one")
    yield folder
    subprocess.run([str(umount), str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize("made_before", [False, True], ids=["new", "used"])
def test_one_that_may_not_be_written(motet: Motet, small_disk: Path, made_before: bool) -> None:
    motet.home = small_disk / "home"
    motet.environment["MOTET_HOME"] = str(motet.home)
    if made_before:
        assert motet.here("ask", "hello").returncode == 0
    before = digest(database(motet)) if made_before else ""
    subprocess.run([str(shutil.which("mount")), "-o", "remount,ro", str(small_disk)], check=True)
    for arguments in COMMANDS:
        done = motet.run(*arguments)
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert str(motet.home) in done.stderr
        assert "read-only" in done.stderr.lower()
        assert "MOTET_HOME" in done.stderr
    assert not made_before or digest(database(motet)) == before


def test_one_on_a_full_disk(motet: Motet, small_disk: Path) -> None:
    motet.home = small_disk
    motet.environment["MOTET_HOME"] = str(small_disk)
    assert motet.here("ask", "hello").returncode == 0
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(filler, bytes(512)):
            pass
    os.close(filler)
    done = motet.run("ask", "hello " * 4000)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "No space is left" in done.stderr
    assert str(small_disk) in done.stderr
    (small_disk / "filler").unlink()
    again = motet.here("ask", "--continue", "what did I say?")
    assert again.stdout == "You said something before.\n", again.stderr
