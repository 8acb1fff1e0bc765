"""The commands that a person types first: what `make demo` hands on, and what `make` alone says."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

STUB = """#!/bin/sh
{ echo "home=$MOTET_HOME"; for part in "$@"; do printf '<%s>\\n' "$part"; done; } >> calls
[ "$1" != ask ] || exit "$(cat status)"
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile in a folder of its own, with a `motet` that writes down how it was called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "install.py").write_text("print('installed')\n")
    motet = tmp_path / ".venv" / "bin" / "motet"
    motet.parent.mkdir(parents=True)
    motet.write_text(STUB)
    motet.chmod(0o755)
    (tmp_path / "status").write_text("0")
    return tmp_path


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "question",
    [
        "plain words",
        "经文歌有几个声部？",
        """it's "quoted" and `so` on""",
        "costs $5, $(HOME) $(shell touch touched) ${x} \\n 100%",
        "-x --help",
    ],
)
def test_the_question_arrives_as_it_was_typed(folder: Path, question: str) -> None:
    done = _make(folder, "demo", f"Q={question}")
    assert done.returncode == 0, done.stderr
    assert (folder / "calls").read_text().splitlines()[-3:] == ["<ask>", "<-->", f"<{question}>"]
    assert not (folder / "touched").exists()


def test_the_demo_fetches_takes_in_and_asks_in_a_data_folder_of_its_own(folder: Path) -> None:
    done = _make(folder, "demo")
    calls = (folder / "calls").read_text().split("home=")[1:]
    assert [call.splitlines()[1:3] for call in calls] == [
        ["<models>", "<pull>"],
        ["<kb>", "<add>"],
        ["<ask>", "<-->"],
    ]
    assert {call.splitlines()[0] for call in calls[1:]} == {f"{folder}/.demo"}
    assert done.stdout.splitlines()[-1].startswith("Took ")


def test_the_demo_fails_when_the_answer_does(folder: Path) -> None:
    (folder / "status").write_text("3")
    done = _make(folder, "demo")
    assert done.returncode != 0
    assert "Error 3" in done.stderr


@pytest.mark.parametrize("python", ["", "no-such-python", "false"])
def test_a_python_that_will_not_do_is_told_in_one_line(folder: Path, python: str) -> None:
    done = _make(folder, "demo", f"PYTHON={python}")
    assert done.returncode != 0
    assert done.stdout.startswith("Motet needs Python 3.11 or newer")
    assert len(done.stdout.splitlines()) == 1
    assert not (folder / "calls").exists()


def test_make_alone_lists_the_commands(folder: Path) -> None:
    listed = _make(folder).stdout
    for command in ("setup", "demo", "test", "check", "fix", "wheel", "lock", "clean", "help"):
        assert f"make {command}" in listed


def test_ci_runs_what_a_person_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()
    assert script.read_text().rstrip().endswith("make test")
