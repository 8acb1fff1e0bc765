"""`motet chat` without a terminal: each line is a message."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from cli_process import Motet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    return Motet(tmp_path)


def test_lines_are_messages_of_one_conversation(motet: Motet) -> None:
    lines = "你好\n\nhow much do thirty batteries hold?\n/rename 对话\n/hlp\n/threads\n/quit\nnever read\n"
    done = motet.run("chat", piped=lines)
    assert done.stdout == "Hello, 你好。\nThey hold **360 kWh**.\n\n- 12 kWh each\n- 共三十块\n"
    assert "Did you mean '/help'?" in done.stderr
    assert "对话  (4 messages, just now)" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert done.returncode == 2  # the last failure was the unknown command
    again = motet.run("chat", "-c", piped="what did I say")
    assert (again.returncode, again.stdout) == (0, "You said something before.\n")
    (thread,) = json.loads(motet.here("threads", "list", "--json").stdout)
    assert thread["messages"] == 6


def test_a_failed_run_is_the_status_and_the_next_line_goes_on(motet: Motet) -> None:
    done = motet.run("chat", piped="wrong key\nhello\n")
    assert done.returncode == 3
    assert done.stdout == "Hello, 你好。\n"


def test_ctrl_c_stops_the_run_then_leaves(motet: Motet) -> None:
    process = motet.start("chat", piped=True)
    assert process.stdin is not None
    process.stdin.write("slow\n")
    process.stdin.flush()
    motet.wait_for_text()
    process.send_signal(signal.SIGINT)
    process.stdin.write("hello\n")
    process.stdin.flush()
    motet.wait_for_text(2)
    process.stdin.flush()
    assert process.stdout is not None
    assert process.stdout.readline() == "Hello, 你好。\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "motet: stopped" in err
