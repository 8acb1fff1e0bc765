"""`motet run`: a task file to its end, again after a failure, an edit, a question or a kill."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cli_desk import Desk, open_desk
from cli_process import Motet

from motet.cli.task_files import load
from motet.tasks.trust import trust

HEAD = "schema: motet.task/v1\nname: demo\n"
TASK = (
    HEAD
    + """
inputs: {topic: {type: string}, lang: {type: string, enum: [en, zh], default: en}}
agents: {w: {system: You write.}}
steps:
  - {id: a, agent: w, prompt: "plan ${{ inputs.topic }}"}
  - {id: b, agent: w, prompt: "write ${{ steps.a.text }}", save: "out/${{ inputs.topic }}.md"}
outputs: {text: "${{ steps.b.text }}"}
"""
)
RULES = """
rules:
  - {user: "^plan", reply: a plan}
  - {user: "^write", reply: %s}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = open_desk(tmp_path, monkeypatch, capsys)
    (tmp_path / "demo.task.yaml").write_text(TASK, "utf-8")
    script(tmp_path, "写好了。")
    return desk


def script(folder: Path, written: str) -> None:
    (folder / "script.yaml").write_text(RULES % written, "utf-8")


def test_a_file_is_run_to_its_end(desk: Desk, tmp_path: Path) -> None:
    assert desk("run", "demo.task.yaml", "-i", "topic=茶", "-q") == "写好了。\n"
    assert (tmp_path / "out" / "茶.md").read_text("utf-8") == "写好了。\n"
    done: dict[str, Any] = json.loads(
        desk("run", "demo.task.yaml", "-i", "topic=茶", "--output", "json", "-q", "--junit", "j.xml")
    )
    assert done["outputs"] == {"text": "写好了。"}
    assert {name: step["status"] for name, step in done["steps"].items()} == {"a": "done", "b": "done"}
    assert done["usage"]["model_calls"] == 2  # what went well before is done anew
    assert ET.parse(tmp_path / "j.xml").getroot()[0].get("tests") == "2"
    [thread] = desk.json("threads", "list")
    assert (thread["title"], len(desk.json("runs", "list"))) == ("demo", 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["demo.task.yaml"], "needs the input 'topic'"),
        (["demo.task.yaml", "-i", "topik=x"], "Did you mean 'topic'?"),
        (["demo.task.yaml", "-i", "topic=x", "-i", "lang=fr"], "'fr' is not one of"),
        (["demo.task.yaml", "-i", "topic=x", "--from", "z"], "has no step 'z'"),
        (["none.task.yaml"], "none.task.yaml cannot be read"),
        (["https://example.org/x.task.yaml"], "https://example.org/x.task.yaml is a URL"),
        (["demo.task.yaml", "--map", "none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_bad_input_is_one_line_before_anything_runs(
    words: list[str], told: str, desk: Desk, tmp_path: Path
) -> None:
    assert told in desk("run", *words, status=2)
    assert not (tmp_path / "home" / "motet.db").exists()


def test_a_dry_run_does_nothing(desk: Desk, tmp_path: Path) -> None:
    shown = desk("run", "demo.task.yaml", "-i", "topic=茶", "--dry-run")
    assert "prompt: plan 茶" in shown
    assert "prompt: write ‹steps.a.text›" in shown
    assert not (tmp_path / "home" / "motet.db").exists()
    assert not (tmp_path / "out").exists()


def test_after_a_failure_the_same_command_goes_on(desk: Desk, tmp_path: Path) -> None:
    script(tmp_path, "{fault: refused}")
    refused = desk("run", "demo.task.yaml", "-i", "topic=x", "-q", "--junit", "j.xml", status=3)
    assert "Step 'b' failed" in refused
    suite = ET.parse(tmp_path / "j.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    script(tmp_path, "fine")
    done = json.loads(desk("run", "demo.task.yaml", "-i", "topic=x", "-q", "--output", "json"))
    assert done["usage"]["model_calls"] == 1
    assert done["steps"]["a"]["result"].startswith("(kept from before)")
    again = json.loads(
        desk("run", "demo.task.yaml", "-i", "topic=x", "-q", "--output", "json", "--from", "b")
    )
    assert again["usage"]["model_calls"] == 1


def test_a_question_waits_for_an_answer(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.cli.entry import run

    (tmp_path / "ask.task.yaml").write_text(
        HEAD + "steps:\n  - {id: a, set: {x: 1}}\n  - {id: ok, needs: [a], approve: 'Go on?'}\n"
        "  - {id: b, needs: [ok], set: {y: 2}}\n"
    )
    assert run(["run", "ask.task.yaml", "-q"]) == 5
    assert "it asks: Go on? (yes or no)" in capsys.readouterr().err
    assert run(["run", "ask.task.yaml", "-q"]) == 5
    assert json.loads(desk("run", "ask.task.yaml", "-q", "--approve", "ok")) == {"y": 2}
    assert json.loads(desk("run", "ask.task.yaml", "-q", "--approve", "all")) == {"y": 2}


def test_a_spent_budget_ends_the_run_or_waits_for_a_person(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.cli.entry import run

    limited = TASK.replace("agents:", "budget: {model_calls: 1}\nagents:")
    (tmp_path / "b.task.yaml").write_text(limited, "utf-8")
    assert "model calls" in desk("run", "b.task.yaml", "-i", "topic=x", "-q", status=4)
    (tmp_path / "c.task.yaml").write_text(limited.replace("1}", "1, then: ask}"), "utf-8")
    assert run(["run", "c.task.yaml", "-i", "topic=x", "-q"]) == 5
    told = capsys.readouterr().err
    assert "it asks: The budget of this run is spent: 1 of 1 model calls." in told
    run_id = told.split("motet runs resume ")[1].split()[0]
    assert run(["runs", "resume", run_id, "-q", "--answer", "more"]) == 0
    assert (tmp_path / "out" / "x.md").read_text("utf-8") == "写好了。\n"


def test_a_files_permissions_are_kept_to(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text(
        'rules:\n  - {user: go, reply: {tool: calculator, arguments: {expression: "6*7"}}}\n'
        '  - {after: calculator, reply: "ended"}\n',
        "utf-8",
    )
    plain = (
        HEAD + "agents: {w: {system: Do it., tools: [calculator]}}\nsteps: [{id: a, agent: w, prompt: go}]\n"
    )
    for name, rules, status, result in [
        ("allowed", "allow: [calculator]", 0, "42"),
        ("denied", "deny: ['calculator:expression=6*']", 0, "may not be called with these arguments"),
        ("asked", "ask: [calculator]", 5, "May the tool 'calculator' be called"),
    ]:
        (tmp_path / f"{name}.task.yaml").write_text(f"{plain}permissions: {{{rules}}}\n", "utf-8")
        shown = desk("run", f"{name}.task.yaml", "-q", "--output", "jsonl", status=0) if not status else ""
        if status:
            from motet.cli.entry import run

            assert run(["run", f"{name}.task.yaml", "-q"]) == status
            shown = desk._capsys.readouterr().err
        assert result in shown


def test_programs_run_when_the_file_is_trusted_as_it_is(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "p.task.yaml"
    path.write_text(HEAD + "steps:\n  - {id: a, run: [python, -c, 'print(6 * 7)']}\n")
    assert "not trusted. Look at it" in desk("run", "p.task.yaml", "-q", status=2)
    assert desk("trust", "p.task.yaml") == "python -c print(6 * 7)\n"
    assert desk("run", "p.task.yaml", "-q") == "42\n"
    path.write_text(path.read_text().replace("42", "43").replace("6 * 7", "6 * 8"))
    assert "not trusted" in desk("run", "p.task.yaml", "-q", "--new", status=2)


KILLED = (
    HEAD
    + """
agents: {w: {system: You write.}}
steps:
  - {id: effect, run: [python, -c, "open('effects', 'a').write('once ')"]}
  - {id: slow, needs: [effect], foreach: [one, two, three], max_parallel: 1, agent: w, prompt: "write ${{ item }}"}
  - {id: last, run: [python, -c, "open('effects', 'a').write('last ')"], needs: [slow]}
outputs: {all: "${{ steps.slow.outputs }}"}
"""
)


FIRST_ITEM_IS_KEPT = """
select (select count(*) from events where event like '%"usage"%') > 0 and exists (
  select 1 from checkpoint_writes
  join (select scope_key, checkpoint_id from checkpoints order by seq desc limit 1) using (scope_key, checkpoint_id)
)
"""
"""A model was called, and what a task of the step at work wrote is stored: only then is the item done."""


def test_killed_in_the_middle_it_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    (tmp_path / "demo.task.yaml").write_text(KILLED, "utf-8")
    rules = "rules:\n  - {user: 'write two', reply: {text: %s, delay_s: %d}}\ndefault: first\n"
    (tmp_path / "script.yaml").write_text(rules % ("late", 600))
    trust(motet.home, load(tmp_path / "demo.task.yaml"))
    process = motet.start("run", "demo.task.yaml", "-q")
    wait_for(motet.home / "motet.db", FIRST_ITEM_IS_KEPT, 1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "effects").read_text() == "once "
    (tmp_path / "script.yaml").write_text(rules.replace("default: first", "default: second") % ("now", 0))
    (tmp_path / "demo.task.yaml").write_text(KILLED + "description: edited\n", "utf-8")
    done = motet.run("run", "demo.task.yaml", "--output", "json")
    assert done.returncode == 0, done.stderr
    # The first item was done before the kill, and the file is the one that the run began with.
    assert json.loads(done.stdout)["outputs"] == {"all": ["first", "now", "second"]}
    assert (tmp_path / "effects").read_text() == "once last "
    assert "has not ended; it goes on" in done.stderr
    assert "was changed since run" in done.stderr


def wait_for(database: Path, query: str, count: int) -> None:
    """Wait until a query of the database gives a number."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if database.exists():
            connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            try:
                if connection.execute(query).fetchone()[0] >= count:
                    return
            except sqlite3.OperationalError:
                pass  # the tables are not there yet
            finally:
                connection.close()
        time.sleep(0.05)
    raise AssertionError("the run did not come so far")


def test_stopped_by_a_signal_it_is_given_back_and_goes_on(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    (tmp_path / "demo.task.yaml").write_text(TASK, "utf-8")
    script(tmp_path, "{text: late, delay_s: 600}")
    process = motet.start("run", "demo.task.yaml", "-i", "topic=x")
    wait_for(motet.home / "motet.db", "select count(*) from events where event like '%step.started%'", 2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "the same command again goes on from here" in told
    script(tmp_path, "fine")
    done: subprocess.CompletedProcess[str] = motet.run("run", "demo.task.yaml", "-i", "topic=x", "-q")
    assert done.stdout == "fine\n"
    wait_for(motet.home / "motet.db", "select 2 - count(*) from runs", 1)  # one run, and no more
