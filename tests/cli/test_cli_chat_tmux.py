"""`motet chat` as a person uses it: keys are sent to a real terminal, and its screen is read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from cli_process import Motet
from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

PROMPT = "›"


class Terminal:
    """A tmux session with a shell in it."""

    def __init__(self, motet: Motet, *, width: int, height: int) -> None:
        self._socket = str(motet.folder / "tmux")
        self._motet = motet
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height)),
            "env PS1='$ ' bash --norc --noprofile",
        )
        self.wait_for("$ ")

    def chat(self, *arguments: str) -> None:
        """Start the chat and wait for its prompt."""
        self.type("clear; " + shlex.join([*self._motet.command, "chat", *arguments]) + "; echo status=$?")
        self.keys("Enter")
        self.wait_for(PROMPT)

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "t", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-t", "t", "-l", text)

    def send(self, text: str) -> None:
        self.type(text)
        self.keys("Enter")

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-J", "-t", "t")

    def scrollback(self) -> str:
        return self._tmux("capture-pane", "-p", "-S", "-", "-t", "t")

    def wait_for(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Wait until the screen has a text; return the screen."""
        end = time.monotonic() + timeout_s
        while text not in (screen := self.screen()):
            assert time.monotonic() < end, f"{text!r} did not come:\n{screen}"
            time.sleep(0.05)
        return screen

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        environment = self._motet.environment | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "TMUX": ""}
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=environment,
            cwd=self._motet.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    return Motet(tmp_path)


@pytest.fixture
def wide(motet: Motet) -> Iterator[Terminal]:
    terminal = Terminal(motet, width=100, height=40)
    yield terminal
    terminal.close()


@pytest.fixture
def narrow(motet: Motet) -> Iterator[Terminal]:
    terminal = Terminal(motet, width=40, height=24)
    yield terminal
    terminal.close()


def last_line(screen: str) -> str:
    return screen.rstrip().splitlines()[-1]


def test_a_conversation_and_its_return(wide: Terminal) -> None:
    wide.chat()
    wide.send("三十块 thirty batteries?")
    screen = wide.wait_for("tokens in")
    assert "› 三十块 thirty batteries?" in screen
    assert 'calculator(expression="12*30") → ' in screen
    assert "They hold 360 kWh." in screen
    assert " • 共三十块" in screen
    assert "**" not in screen

    wide.send("/hlp")
    wide.wait_for("Unknown command '/hlp'. Did you mean '/help'?")
    wide.send("/rename 我的电池")
    wide.wait_for("Renamed to “我的电池”.")
    wide.send("/threads")
    wide.wait_for("我的电池  (2 messages, just now)")
    wide.keys("C-d")
    wide.wait_for("status=0")

    wide.chat("-c")
    screen = wide.wait_for("Going on with “我的电池”.")
    wide.send("what did I say")
    screen = wide.wait_for("You said something before.")
    assert "They hold 360 kWh." in screen
    wide.send("/new")
    wide.wait_for("A new conversation")
    wide.send("hello")
    wide.wait_for("Hello, 你好。")
    wide.send("/resume 我的电池")
    wide.wait_for("Going on with “我的电池”.")
    wide.send("/quit")
    wide.wait_for("status=0")


def test_ctrl_c_stops_the_run_and_loses_nothing(wide: Terminal) -> None:
    wide.chat()
    wide.send("slow, please")
    wide.wait_for("第一段，写得很慢。")
    wide.type("draft that I do not want")
    wide.wait_for("› draft")
    wide.keys("C-c")
    wide.wait_for("paragraph is")  # the draft is gone, the run goes on
    assert "draft" not in wide.screen()
    wide.send("waits in the queue")
    wide.wait_for("1 message waiting")
    wide.keys("C-c")
    screen = wide.wait_for("stopped")
    assert "第一段，写得很慢。" in screen
    assert "The second paragraph" in screen
    assert last_line(wide.wait_for("› waits in the queue")) == "› waits in the queue"
    wide.keys("C-c")
    wide.send("hello")
    assert "Hello, 你好。" in wide.wait_for("Hello, 你好。")
    wide.wait_for("tokens in")
    wide.keys("C-c")
    wide.wait_for("Ctrl-C again to leave")
    wide.keys("C-c")
    wide.wait_for("status=130")


def test_forty_columns_in_chinese(narrow: Terminal) -> None:
    narrow.chat()
    narrow.type("请用一句话说明三十块电池一共能储存多少千瓦时的电能")
    narrow.keys("Escape", "Enter")
    narrow.type("thirty batteries")
    narrow.keys("Enter")
    narrow.wait_for("tokens/s")
    narrow.keys("C-d")
    narrow.wait_for("status=0")
    rows = narrow.scrollback().splitlines()
    assert all(cell_len(row) <= 40 for row in rows)
    start = next(n for n, row in enumerate(rows) if row.startswith("› 请用一句话"))
    assert rows[start + 1].startswith("  ")
    assert "  thirty batteries" in rows
    assert not any(row.lstrip().startswith(("，", "。")) for row in rows)


def test_a_killed_chat_is_finished_when_it_comes_back(wide: Terminal, motet: Motet) -> None:
    wide.chat()
    wide.send("slow")
    wide.wait_for("第一段，写得很慢。")
    pids = wide._tmux("list-panes", "-F", "#{pane_pid}").split()
    children = subprocess.run(
        ["pgrep", "-P", pids[0]], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(children[0]), 9)
    wide.wait_for("status=137")
    wide.keys("C-l")
    wide.send("stty sane")
    wide.chat("-c")
    wide.wait_for("It is finished first:")
    wide.wait_for("word by word and goes on.")
    wide.wait_for("tokens in")
    wide.send("what did I say")
    wide.wait_for("You said something before.")
    wide.keys("C-d")
    wide.wait_for("status=0")


def test_a_wrong_thread_is_one_line(wide: Terminal) -> None:
    wide.type(shlex.join([*wide._motet.command, "chat", "-t", "nope"]) + "; echo status=$?")
    wide.keys("Enter")
    screen = wide.wait_for("status=2")
    assert "motet: There is no thread 'nope'." in screen
    assert PROMPT not in screen
