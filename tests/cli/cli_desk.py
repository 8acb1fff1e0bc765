"""The command in this process, with a home of its own and the scripted model, for tests of what it prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli_process import Motet

from motet.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SCRIPT = """
rules:
  - {user: "the blue", reply: "Blue it is."}
  - {user: "the red", reply: "红色。"}
default: "Hello, 你好。"
"""


class Desk:
    """The command; calling it runs it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run it; return stdout, or stderr where it was refused."""
        self._capsys.readouterr()
        done = run(list(arguments))
        shown = self._capsys.readouterr()
        assert done == status, shown.err
        if status:
            assert shown.err.startswith("motet: ")
            assert shown.err.count("\n") == 1
        return shown.err if status else shown.out

    def json(self, *arguments: str) -> Any:
        """Run it with --json and return what it printed."""
        return json.loads(self(*arguments, "--json"))


def open_desk(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Make a home and return the command in it."""
    home = Motet(folder)
    (folder / "script.yaml").write_text(SCRIPT, "utf-8")
    for name, value in home.environment.items():
        if name.startswith("MOTET_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return Desk(capsys)
