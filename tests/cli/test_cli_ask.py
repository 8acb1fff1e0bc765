"""`motet ask` as people and scripts use it: the real app, the scripted model, a process of its own."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from cli_process import Motet

from motet.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    return Motet(tmp_path)


@pytest.fixture
def here(motet: Motet, monkeypatch: pytest.MonkeyPatch) -> Motet:
    """The same home for commands that run in this process."""
    for name, value in motet.environment.items():
        if name.startswith("MOTET_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(motet.folder)
    return motet


def test_stdout_is_the_answer_and_stderr_all_else(motet: Motet) -> None:
    done = motet.run("ask", "How", "much do thirty batteries hold?")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "They hold **360 kWh**.\n\n- 12 kWh each\n- 共三十块\n"
    first, call, cost = done.stderr.splitlines()
    assert first.startswith("thread ")
    assert call.startswith('  calculator(expression="12*30") → ')
    assert "tokens in" in cost
    assert "\x1b" not in done.stdout + done.stderr


def test_jsonl_and_json(here: Motet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "--output", "jsonl", "--quiet", "hello"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["type"] == "run.accepted"
    assert lines[-1]["type"] == "run.completed"

    assert run(["ask", "--output", "json", "-q", "-t", lines[0]["thread_id"], "wrong key"]) == 3
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["thread_id"], found["status"]) == (lines[0]["thread_id"], "error")
    assert found["error"]["code"] == "model_refused"
    assert shown.err.startswith("motet: ")
    assert shown.err.count("\n") == 1


def test_it_goes_on_in_the_last_thread(here: Motet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "-q", "hello there"]) == 0
    assert run(["ask", "-q", "-c", "what did I say"]) == 0
    assert run(["ask", "-q", "-t", "hello there", "hello"]) == 0
    capsys.readouterr()
    assert run(["threads", "list", "--json"]) == 0
    (thread,) = json.loads(capsys.readouterr().out)
    assert (thread["title"], thread["messages"]) == ("hello there", 6)
    assert run(["threads", "show", thread["thread_id"][:8]]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("you:\nhello there\n\nmotet:\nHello, 你好。\n")
    assert shown.count("you:") == 3


def test_documents_are_searched_alone_and_read_once(here: Motet, capsys: pytest.CaptureFixture[str]) -> None:
    docs = here.folder / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# A\n\nAlpha is 1.\n", "utf-8")
    (docs / "broken.pdf").write_text("no pdf", "utf-8")
    assert run(["ask", "-q", "--docs", str(docs), "hello"]) == 0
    assert "broken.pdf" in capsys.readouterr().err
    (docs / "broken.pdf").unlink()
    (docs / "b.md").write_text("# B\n\nBeta is 2.\n", "utf-8")
    (docs / "a.md").unlink()
    assert run(["ask", "-q", "--docs", "docs", "hello"]) == 0
    capsys.readouterr()
    assert run(["kb", "list", "--json"]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["title"] == "B"
    assert document["collection"].startswith("docs-")


def test_documents_that_cannot_be_taken_in_end_it(here: Motet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "--docs", "nowhere", "hello"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nowhere" in shown.err
    assert run(["threads", "list"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
def test_out_writes_what_stdout_would_carry(
    here: Motet, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    path = here.folder / "out.txt"
    assert run(["ask", "-q", "--output", output, "-o", str(path), "hello"]) == 0
    assert capsys.readouterr().out == ""
    text = path.read_text("utf-8")
    assert "Hello, 你好。" in text
    assert text.endswith("\n")


def test_a_pipe_is_material(motet: Motet) -> None:
    done = motet.run("ask", "sum up", piped="some material")
    assert done.returncode == 0, done.stderr
    shown = motet.here("threads", "show", "--json", done.stderr.split()[1])
    text = json.loads(shown.stdout)["messages"][0]["text"]
    assert text == "sum up\n\nMaterial (standard input):\n```\nsome material\n```"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_and_keeps_the_conversation(
    motet: Motet, number: signal.Signals, status: int
) -> None:
    process = motet.start("ask", "slow")
    motet.wait_for_text()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert "motet: stopped; the conversation is kept" in err
    runs = json.loads(motet.here("runs", "list", "--json").stdout)
    assert [record["status"] for record in runs] == ["cancelled"]


def test_a_timeout_is_124(motet: Motet) -> None:
    done = motet.run("ask", "--timeout", "0.5", "slow")
    assert done.returncode == 124, done.stderr
    assert "the time was over" in done.stderr


def test_a_killed_run_is_finished_before_the_next_question(motet: Motet) -> None:
    process = motet.start("ask", "slow")
    motet.wait_for_text()
    process.kill()
    process.communicate()
    done = motet.run("ask", "-c", "what did I say")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "You said something before.\n"
    assert "has not ended; it goes first" in done.stderr
    assert "word by word and goes on." in done.stderr
    shown = json.loads(motet.here("threads", "show", "slow", "--json").stdout)
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant", "user", "assistant"]


def test_runs_show_tells_what_happened(here: Motet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "-q", "How much do thirty batteries hold?"]) == 0
    capsys.readouterr()
    assert run(["runs", "list"]) == 0
    run_id = capsys.readouterr().out.split("\t")[0]
    assert run(["runs", "show", run_id]) == 0
    shown = capsys.readouterr().out
    assert " · chat · success\n" in shown
    assert "calculator(" in shown
    assert shown.endswith("\nThey hold **360 kWh**.\n\n- 12 kWh each\n- 共三十块\n")
    assert run(["runs", "show", run_id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["events"][-1]["type"] == "run.completed"


def test_threads_search_rename_and_rm(here: Motet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "-q", "电池的容量是多少"]) == 0
    assert run(["threads", "rename", "电池的容量是多少", "My batteries"]) == 0
    capsys.readouterr()
    assert run(["threads", "search", "容量"]) == 0
    assert "\tyou\t电池的容量是多少\n" in capsys.readouterr().out
    assert run(["threads", "search", "nothing like it"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["threads", "rename", "My batteries", "  "]) == 2
    assert run(["threads", "rm", "My batteries"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["threads", "rm", "--yes", "My batteries"]) == 0
    assert "Deleted “My batteries”." in capsys.readouterr().err
    assert run(["threads", "list"]) == 0
    assert capsys.readouterr().out == ""
