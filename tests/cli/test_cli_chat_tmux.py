"""`motet chat` as a person uses it: keys are sent to a real terminal, and its screen is read.

The tests share a terminal, and the chat in it while it runs: each begins a conversation of its own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import tomllib
from typing import TYPE_CHECKING

import pytest
from cli_process import SCRIPT, Motet
from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

PROMPT = "›"

WRITING = """
  - {user: "write it down", reply: {tool: write_file, arguments: {path: "notes/电池.md", content: "三十块\\nthirty"}}}
  - {after: write_file, reply: "It is written."}
default:"""


class Terminal:
    """A tmux session with a shell in it."""

    def __init__(self, motet: Motet) -> None:
        self._socket = str(motet.folder / "tmux")
        self.motet = motet
        self.chats = False
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", "100", "-y", "40"),
            "env PS1='$ ' bash --norc --noprofile",
        )
        self.wait_for("$ ")

    def begin(self) -> None:
        """Have an empty screen with the prompt of the chat, in a conversation without a message."""
        self.resize(100, 40)
        if not self.chats:
            self.chat()
            return
        self.send("/new")
        self.wait_for("A new conversation begins")
        self.clear()

    def chat(self, *arguments: str) -> None:
        """Start the chat and wait for its prompt."""
        self.send("clear")
        self.clear()
        self.send(shlex.join([*self.motet.command, "chat", *arguments]) + "; echo status=$?")
        self.wait_for(PROMPT)
        self.chats = True

    def clear(self) -> None:
        """Forget what was on the screen; a line that was still on its way too."""
        end = time.monotonic() + 60
        self.keys("C-l")
        while len(self.screen().rstrip().splitlines()) > 1:
            assert time.monotonic() < end, self.screen()
            self.keys("C-l")
            time.sleep(0.1)
        self._tmux("clear-history", "-t", "t")

    def left(self, status: int) -> None:
        """Wait for the end of the chat."""
        self.wait_for(f"status={status}")
        self.chats = False

    def resize(self, width: int, height: int) -> None:
        """Resize the window, and wait until what runs in it can see that: tmux tells its programs a moment later."""
        self._tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))
        line = os.open(
            self._tmux("display-message", "-p", "-t", "t", "#{pane_tty}").strip(), os.O_RDWR | os.O_NOCTTY
        )
        try:
            end = time.monotonic() + 60
            while os.get_terminal_size(line) != (width, height):
                assert time.monotonic() < end, "the terminal keeps its size"
                time.sleep(0.01)
        finally:
            os.close(line)

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
            time.sleep(0.1)
        return screen

    def answered(self, text: str) -> str:
        """Wait for an answer, and for the line below it that tells what it took: the last of a run. Return the screen.

        What is sent or cleared before that line has come is overtaken by it.
        """
        end = time.monotonic() + 60
        while "tokens" not in (screen := self.screen()).rpartition(text)[2] or text not in screen:
            assert time.monotonic() < end, f"{text!r} was not answered:\n{screen}"
            time.sleep(0.1)
        return screen

    def pid(self) -> int:
        """Return the id of the chat's process."""
        shell = self._tmux("list-panes", "-F", "#{pane_pid}").split()[0]
        found = subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[0])

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        environment = self.motet.environment | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "TMUX": ""}
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=environment,
            cwd=self.motet.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder: Path = tmp_path_factory.mktemp("tmux")
    motet = Motet(folder)
    (folder / "files" / "notes").mkdir(parents=True)
    (folder / "script.yaml").write_text(SCRIPT.replace("default:", WRITING.lstrip("\n")), "utf-8")
    motet.environment |= {
        "MOTET_CONFIG": str(folder / "config.toml"),
        "MOTET_FILES_ROOT": str(folder / "files"),
        "MOTET_FILES_WRITE": "true",
        "MOTET_TOOLS": "write_file",
        "COLUMNS": "80",  # exported: bash tells the chat of the width that it begins with, for ever
        "LINES": "24",
    }
    terminal = Terminal(motet)
    yield terminal
    terminal.close()


@pytest.fixture
def terminal(shared: Terminal) -> Terminal:
    shared.begin()
    return shared


def last_line(screen: str) -> str:
    return screen.rstrip().splitlines()[-1]


def test_a_conversation_and_its_return(terminal: Terminal) -> None:
    terminal.send("三十块 thirty batteries?")
    screen = terminal.wait_for("tokens in")
    assert "› 三十块 thirty batteries?" in screen
    assert 'calculator(expression="12*30") → ' in screen
    assert "They hold 360 kWh." in screen
    assert " • 共三十块" in screen
    assert "**" not in screen

    terminal.send("/hlp")
    terminal.wait_for("Unknown command '/hlp'. Did you mean '/help'?")
    terminal.send("/rename 我的电池")
    terminal.wait_for("Renamed to “我的电池”.")
    terminal.send("/threads")
    terminal.wait_for("我的电池  (2 messages, just now)")
    terminal.keys("C-d")
    terminal.left(0)

    terminal.chat("-c")
    screen = terminal.wait_for("Going on with “我的电池”.")
    terminal.send("what did I say")
    screen = terminal.answered("You said something before.")
    assert "They hold 360 kWh." in screen
    terminal.send("/new")
    terminal.wait_for("A new conversation")
    terminal.send("hello")
    terminal.answered("Hello, 你好。")
    terminal.clear()
    terminal.send("/resume 我的电池")
    terminal.wait_for("Going on with “我的电池”.")


def test_ctrl_c_stops_the_run_and_loses_nothing(terminal: Terminal) -> None:
    terminal.send("slow, please")
    terminal.wait_for("第一段，写得很慢。")
    terminal.type("draft that I do not want")
    terminal.wait_for("› draft")
    terminal.keys("C-c")
    terminal.wait_for("paragraph is")  # the draft is gone, the run goes on
    assert "draft" not in terminal.screen()
    terminal.send("waits in the queue")
    terminal.wait_for("1 message waiting")
    terminal.keys("C-c")
    screen = terminal.wait_for("stopped")
    assert "第一段，写得很慢。" in screen
    assert "The second paragraph" in screen
    assert last_line(terminal.wait_for("› waits in the queue")) == "› waits in the queue"
    terminal.keys("C-c")
    terminal.send("hello")
    assert "Hello, 你好。" in terminal.wait_for("Hello, 你好。")
    terminal.wait_for("tokens in")
    terminal.keys("C-c")
    terminal.wait_for("Ctrl-C again to leave")
    terminal.keys("C-c")
    terminal.left(130)


def test_a_call_is_approved_changed_and_refused(terminal: Terminal) -> None:
    """The person sees the call whole, and the same keys refuse it that stop everything else."""
    notes, config = terminal.motet.folder / "files" / "notes", terminal.motet.folder / "config.toml"
    terminal.send("write it down")
    screen = terminal.wait_for("settings [RULE]")
    assert "write_file (writes)" in screen
    assert 'path = "notes/电池.md"   ‹written by the model›' in screen
    assert "│ 三十块" in screen
    terminal.send("explain")
    terminal.wait_for("why: It writes.")
    terminal.keys("C-c")
    assert "› no" in terminal.answered("It is written.")  # so says the script, whatever became of it
    assert list(notes.iterdir()) == []

    terminal.clear()
    terminal.send("write it down")
    terminal.wait_for("settings [RULE]")
    terminal.send("edit")
    terminal.wait_for('"content": "三十块\\nthirty"')
    terminal.keys("C-c")
    terminal.wait_for("Ctrl-X Ctrl-E")
    terminal.send("edit path=notes/b.md")
    terminal.answered("It is written.")
    assert [path.name for path in notes.iterdir()] == ["b.md"]

    terminal.clear()
    terminal.send("write it down")
    terminal.wait_for("settings [RULE]")
    terminal.send("settings")
    terminal.answered("It is written.")
    assert tomllib.loads(config.read_text("utf-8"))["permissions"]["allow"] == ["write_file:path=notes/*"]
    terminal.begin()
    terminal.send("write it down")
    assert "may this be called" not in terminal.answered("It is written.")
    config.unlink()


def test_forty_columns_in_chinese(terminal: Terminal) -> None:
    terminal.resize(40, 24)
    terminal.type("请用一句话说明三十块电池一共能储存多少千瓦时的电能")
    terminal.keys("Escape", "Enter")
    terminal.type("thirty batteries")
    terminal.keys("Enter")
    terminal.answered("360 kWh")
    rows = terminal.scrollback().splitlines()
    assert all(cell_len(row) <= 40 for row in rows)
    # The last one: a draft that is still on the screen looks the same, and goes on without an indent.
    start = max(n for n, row in enumerate(rows) if row.startswith("› 请用一句话"))
    assert rows[start + 1].startswith("  "), "\n".join(rows)
    assert "  thirty batteries" in rows, "\n".join(rows)
    assert not any(row.lstrip().startswith(("，", "。")) for row in rows)
    terminal.send("/帮助 zh")
    terminal.wait_for("Ctrl-D")
    assert all(cell_len(row) <= 40 for row in terminal.scrollback().splitlines())


def test_keys_and_commands_that_need_the_terminal_itself(terminal: Terminal) -> None:
    terminal.send("hello")
    terminal.wait_for("Hello, 你好。")
    terminal.type("/th")
    terminal.keys("Tab")
    terminal.wait_for("/theme  /threads")
    terminal.type("e")
    terminal.keys("Tab")
    terminal.wait_for("› /theme")
    terminal.type(" li")
    terminal.keys("Tab")
    terminal.wait_for("› /theme light")
    terminal.keys("Enter")
    terminal.wait_for("Colours: light.")
    terminal.send("/copy")
    terminal.wait_for("Copied 10 characters")
    terminal.send("!echo $((6*7))号")
    terminal.wait_for("42号")
    terminal.wait_for(PROMPT)
    terminal.keys("Escape", "Escape")
    terminal.wait_for("› /rewind")
    terminal.wait_for("1  hello")
    terminal.keys("C-c")


def test_a_killed_chat_is_finished_when_it_comes_back(terminal: Terminal) -> None:
    terminal.send("slow")
    terminal.wait_for("第一段，写得很慢。")
    os.kill(terminal.pid(), 9)
    terminal.left(137)
    terminal.send("stty sane")
    terminal.chat("-c")
    terminal.wait_for("It is finished first:")
    terminal.wait_for("word by word and goes on.")
    terminal.wait_for("tokens in")
    terminal.send("what did I say")
    terminal.wait_for("You said something before.")


def test_a_wrong_thread_is_one_line(terminal: Terminal) -> None:
    terminal.keys("C-d")
    terminal.left(0)
    terminal.send("clear")
    terminal.clear()
    terminal.send(shlex.join([*terminal.motet.command, "chat", "-t", "nope"]) + "; echo status=$?")
    screen = terminal.wait_for("status=2")
    assert "motet: There is no thread 'nope'." in screen
    assert PROMPT not in screen
