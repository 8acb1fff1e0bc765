"""Crash points: which one ends the process, and how."""

import subprocess
import sys
from pathlib import Path

import pytest

from motet.storage.crash import STATUS, CrashPoints

CODE = """
import sys
from motet.settings import Settings
from motet.storage.engine import Database
import sqlalchemy as sa

database = Database(Settings.load().storage)
for number in range(3):
    database.write_sync(lambda c: c.execute(sa.text("create table if not exists t (n integer)")))
    database.write_sync(lambda c: c.execute(sa.text("insert into t values (1)")))
    print(number, flush=True)
database.close()
print("whole")
"""


def run(at: str, home: Path) -> subprocess.CompletedProcess[str]:
    env = {"MOTET_HOME": str(home), "MOTET_CRASH_AT": at}
    return subprocess.run(
        [sys.executable, "-c", CODE], env=env, cwd=home, capture_output=True, text=True, check=False
    )


def rows(home: Path) -> int:
    import sqlite3

    connection = sqlite3.connect(home / "motet.db")
    try:
        return connection.execute("select count(*) from t").fetchone()[0]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("at", "said", "kept"), [("3", "before a commit", 0), ("4", "after a commit", 1)], ids=["before", "after"]
)
def test_the_process_ends_at_its_point_and_what_was_committed_stays(
    at: str, said: str, kept: int, tmp_path: Path
) -> None:
    done = run(at, tmp_path)
    assert done.returncode == STATUS
    assert done.stderr == f"crash point {at}: {said}\n"
    assert done.stdout == ""
    assert rows(tmp_path) == kept


@pytest.mark.parametrize("at", ["", "0", "1000"])
def test_a_process_that_meets_no_point_ends_by_itself(at: str, tmp_path: Path) -> None:
    done = run(at, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("whole\n")
    assert rows(tmp_path) == 3


def test_what_fails_has_no_point_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    monkeypatch.setattr("os.write", lambda *_: 0)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    points = CrashPoints(at=2)
    with pytest.raises(ValueError, match="no"), points.around("what fails"):
        raise ValueError("no")
    assert left == []
    points.meet("the second")
    points.meet("the third")
    assert left == [STATUS]
