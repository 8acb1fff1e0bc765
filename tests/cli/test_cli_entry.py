"""The edge: one line for every error, the right status, and nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import motet
from motet.cli import entry
from motet.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("langchain", "langgraph", "openai", "numpy", "faiss", "prompt")

SLOW = ("sqlalchemy", "pydantic", "alembic", "asyncio")
"""What a list, and the help, need not wait for either."""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MOTET_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"motet {motet.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["ask", "--help"], ["threads", "--help"], ["kb", "-h"]]
)
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert capsys.readouterr().out.startswith("Usage: motet")


@pytest.mark.parametrize("arguments", [[], ["threads"], ["kb"]])
def test_a_group_without_a_command_shows_its_help_as_an_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Usage: motet")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["thrads"], "'thrads'. Did you mean 'threads'"),
        (["threads", "lst"], "Did you mean 'list'?"),
        (["ask", "--grph", "x"], "--grph (Possible options: --graph)"),
        (["ask", "--output", "xml", "q"], "'text', 'json', 'jsonl'"),
        (["ask", "--graph", "ensembel", "q"], "Unknown graph 'ensembel'. Did you mean 'ensemble'?"),
        (["ask", "--model", "opnai:x", "q"], "Did you mean 'openai'?"),
        (["ask", "-c", "-t", "x", "q"], "--continue or --thread"),
        (["ask", "-c", "q"], "no conversation to go on with"),
        (["ask", "-t", "nope", "q"], "There is no thread 'nope'"),
        (["ask", "-o", "/nowhere/at/all", "q"], "/nowhere/at/all cannot be written"),
        (["ask"], "There is no question"),
        (["chat", "-t", "nope"], "There is no thread 'nope'"),
        (["chat", "-g", "chatt"], "Did you mean 'chat'?"),
        (["threads", "show", "nope"], "There is no thread 'nope'"),
        (["runs", "show", "nope"], "There is no run 'nope'"),
        (["models", "pull", "qwen"], "Unknown embedded model 'qwen'"),
        (["kb", "rm", "/no/such"], "No document '/no/such'"),
        (["kb", "add", "-C", "a b", "."], "'a b' is no name for a collection"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("motet: ")
    assert shown.err.count("\n") == 1
    assert told in shown.err


def test_a_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOTET_CONCURRENCY", "many")
    assert run(["threads", "list"]) == 2
    assert capsys.readouterr().err == (
        "motet: Setting runs.concurrency from environment variable MOTET_CONCURRENCY is 'many': "
        "expected a whole number.\n"
    )


def test_a_file_that_is_no_database_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    (home / "motet.db").write_text("this is not a database at all, only some text" * 50)
    assert run(["threads", "list"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("motet: ")
    assert shown.count("\n") == 1
    assert "motet.db" in shown


def test_what_nobody_expected_goes_into_a_file_without_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")

    def fails(*_: object) -> None:
        raise RuntimeError("a bug that holds sk-very-secret")

    monkeypatch.setattr("motet.cli.surroundings.setting_rows", fails)
    assert run(["config", "show"]) == 1
    (log,) = (home / "logs").iterdir()
    shown = capsys.readouterr().err
    assert str(log) in shown
    assert "Traceback" not in shown
    trace = log.read_text("utf-8")
    assert "RuntimeError" in trace
    assert "setting_rows" in trace
    assert "sk-very-secret" not in trace + shown


def test_a_message_of_many_lines_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    entry.say("first\n  second\tthird")
    assert capsys.readouterr().err == "motet: first second third\n"


@pytest.mark.parametrize(
    ("arguments", "light"),
    [(["--help"], True), (["--version"], True), (["threads", "list"], True), (["config", "show"], False)],
)
def test_light_commands_import_nothing_heavy(arguments: list[str], light: bool) -> None:
    run(["threads", "list"])  # makes the database
    code = (
        "import sys\nfrom motet.cli.entry import run\nstatus = run(sys.argv[1:])\n"
        "print('heavy:', *sorted({name.split('.')[0].split('_')[0] for name in sys.modules}), file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stderr.rpartition("heavy:")[2].split()
    assert [name for name in (*HEAVY, *(SLOW if light else ())) if name in loaded] == []


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m motet config show | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 141)
    assert done.stderr == ""


def test_a_log_that_cannot_be_written_is_no_second_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    home.write_text("in the way")
    monkeypatch.setattr("motet.cli.surroundings.setting_rows", fails)
    assert run(["config", "show"]) == 1
    shown = capsys.readouterr().err
    assert "RuntimeError" in shown
    assert shown.count("\n") == 1
