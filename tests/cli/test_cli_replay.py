"""`motet replay`, its forks, and a recorded run that becomes a pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_desk import Desk, open_desk

from motet.cli.replay import _name as name_of  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = """
rules:
  - {user: "thirty batteries", after: calculator, reply: "They hold 360. 它们存得下。"}
  - {user: "thirty batteries", reply: {tool: calculator, arguments: {expression: "12*30"}}}
default: "Something else."
"""


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = open_desk(tmp_path, monkeypatch, capsys)
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    return desk


@pytest.fixture
def recorded(motet: Desk) -> str:
    motet("ask", "-q", "--record", "-g", "chat", "thirty batteries 三十")
    return motet.json("runs", "list", "-n", "1")[0]["run_id"]


@pytest.fixture
def without_model(tmp_path: Path) -> Callable[[], None]:
    def take() -> None:
        (tmp_path / "script.yaml").write_text("default: {fault: auth}", "utf-8")

    return take


def test_a_run_is_played_listed_and_compared(
    motet: Desk, recorded: str, without_model: Callable[[], None]
) -> None:
    without_model()
    assert "They hold 360." in motet("replay", recorded, "-q")
    again = motet.json("runs", "list", "-n", "1")[0]["run_id"]
    assert all(line.startswith(" ") for line in motet("runs", "diff", recorded, again).splitlines()[2:])
    listed = motet("replay", recorded[:8], "--calls")
    assert 'calculator {"expression": "12*30"}' in listed
    assert "它们存得下" in listed


def test_a_fork_with_one_thing_changed(motet: Desk, recorded: str) -> None:
    calls = motet.json("replay", recorded, "--calls", "--json")[1:]
    [tool] = [call["number"] for call in calls if call["kind"] == "tool"]
    assert "They hold 360." in motet("replay", recorded, "-q", "--change", f"{tool}=361")
    forked = motet.json("runs", "list", "-n", "1")[0]["run_id"]
    assert "+ result: calculator said: 361" in motet("runs", "diff", recorded, forked)
    assert "Something else." in motet("replay", recorded, "-q", "--question", "another thing")


def test_a_recorded_run_becomes_a_test_that_passes_without_a_model(
    motet: Desk, recorded: str, tmp_path: Path, without_model: Callable[[], None]
) -> None:
    motet("runs", "export-test", recorded, "--out", str(tmp_path / "kept"))
    without_model()
    [test] = (tmp_path / "kept").glob("test_*.py")
    assert test.name == "test_thirty_batteries_三十.py"
    other = test.with_name("test_other.py")
    other.write_text(test.read_text("utf-8").replace("360", "361"), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test), str(other)]
    done = subprocess.run(command, cwd=test.parent, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1].startswith("1 failed, 1 passed"), done.stdout
    assert f"FAILED {other.name}::" in done.stdout


def test_a_recordings_file_is_written_and_played(motet: Desk, recorded: str, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    motet("runs", "record", recorded, "--out", str(file))
    assert "They hold 360." in motet("replay", str(file), "-q")
    file.write_text(file.read_text("utf-8").replace('"cassette": 1', '"cassette": 7'), "utf-8")
    assert "is a recording of version 7" in motet("replay", str(file), status=2)


def test_what_cannot_be_played_is_one_line(motet: Desk) -> None:
    motet("ask", "-q", "-g", "chat", "hi")
    run_id = motet.json("runs", "list", "-n", "1")[0]["run_id"]
    assert "was not recorded" in motet("replay", run_id, status=2)
    assert "write N=REPLY" in motet("replay", run_id, "--change", "x", status=2)
    assert "no run" in motet("replay", "nothing-like-it", status=2)


@pytest.mark.parametrize(
    ("text", "name"), [("价格是多少？", "价格是多少"), ("!!", "recorded_run"), ("A b-c", "a_b_c")]
)
def test_names_are_names_that_python_takes(text: str, name: str) -> None:
    assert name_of(text) == name
