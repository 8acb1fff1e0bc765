"""`motet task test`, on the shipped examples and on tests that fail."""

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cli_desk import Desk, open_desk

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    shutil.copytree(EXAMPLES / "tasks", tmp_path / "tasks")
    shutil.copytree(EXAMPLES / "documents", tmp_path / "documents")
    return open_desk(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("name", ["brief", "triage", "changelog"])
def test_the_examples_tests_pass_with_no_model(name: str, desk: Desk, tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "home" not in path.parts)
    results = desk.json("task", "test", f"tasks/{name}.task.yaml")
    assert [(tested["name"], tested["faults"]) for tested in results if tested["faults"]] == []
    assert sorted(path for path in tmp_path.rglob("*") if "home" not in path.parts) == before


def test_the_tickets_are_sorted_row_by_row(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTET_MODEL", f"scripted:{tmp_path / 'tasks' / 'cassettes' / 'triage.yaml'}")
    desk("run", "tasks/triage.task.yaml", "--map", "tasks/tickets.jsonl", "--out", "out.jsonl", "-q")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["T-101", "T-102", "T-103", "T-104", "T-105", "T-106"]
    assert [line["outputs"]["queue"] for line in lines[:4]] == ["lost_property", "refund", "now", "other"]


def test_a_change_log_is_drafted_from_a_repository(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTET_MODEL", f"scripted:{tmp_path / 'tasks' / 'cassettes' / 'changelog.yaml'}")
    repo = tmp_path / "repo"
    as_me = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(repo)]
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    for subject in ("First", "Second"):
        subprocess.run([*as_me, "commit", "-q", "--allow-empty", "-m", subject], check=True)
    words = ["run", "tasks/changelog.task.yaml", "-q", "-i", "repo=repo", "-i", "since=HEAD~1"]
    assert "not trusted" in desk(*words, status=2)
    assert desk("trust", "tasks/changelog.task.yaml").startswith("git -C ")
    shown = json.loads(desk(*words, "--output", "json"))
    assert shown["steps"]["git"]["result"].endswith("Second")
    assert "First" not in shown["steps"]["git"]["result"]
    assert "### Added" in (tmp_path / "tasks" / "changelog-draft.md").read_text("utf-8")
    assert "does not match" in desk(*words[:-1], "since=--output=x", status=2)


def test_a_test_that_fails_says_why_and_exits_with_1(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.cli.entry import run

    (tmp_path / "t.task.yaml").write_text(
        "schema: motet.task/v1\nname: t\nsteps: [{id: a, set: {x: 1}}, {id: ok, needs: [a], approve: Go?}]\n"
        "outputs: {x: '${{ steps.a.output.x }}'}\n"
        "tests:\n"
        "  - {name: right, approve: [ok], assert: [{type: equals, value: 1}, {type: rubric, value: nice}]}\n"
        "  - {name: wrong, approve: [ok], assert: [{type: equals, value: 2}]}\n"
        "  - {name: asks, assert: [{type: equals, value: 1}]}\n"
    )
    assert run(["task", "test", "t.task.yaml", "--junit", "j.xml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ right")
    assert lines[1].strip().startswith("not checked: rubric 'nice': no judge")
    assert lines[2].startswith("✗ wrong")
    assert lines[3].strip() == "equals: '1' is not 2"
    assert "it waits for a person" in lines[5]
    assert ET.parse(tmp_path / "j.xml").getroot()[0].get("failures") == "2"
    assert "no such test. Its tests: right, wrong, asks" in desk(
        "task", "test", "t.task.yaml", "--only", "z", status=2
    )


RECORDED = """schema: motet.task/v1
name: sums
inputs: {count: {type: integer}}
agents: {w: {system: You count., tools: [calculator]}}
steps:
  - {id: a, agent: w, prompt: "${{ inputs.count }} batteries of 12 kWh"}
  - {id: b, needs: [a], agent: w, prompt: "sum up ${{ steps.a.text }}"}
outputs: {text: "${{ steps.b.text }}"}
tests:
  - name: thirty
    inputs: {count: 30}
    model: replay:cassettes/thirty.jsonl
    assert: [{type: contains, value: 电}, {type: tool_called, value: calculator}]
"""

WORDS = """
rules:
  - {user: "sum up", reply: "一共 360 千瓦时的电。"}
  - {user: "30 batteries", reply: {tool: calculator, arguments: {expression: "12*30"}}}
  - {after: calculator, reply: "360 kWh"}
"""


def test_a_recording_is_made_and_played_with_no_model(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sums.task.yaml").write_text(RECORDED, "utf-8")
    (tmp_path / "words.yaml").write_text(WORDS, "utf-8")
    cassette = tmp_path / "cassettes" / "thirty.jsonl"
    [missing] = json.loads(failing(desk, "task", "test", "sums.task.yaml", "--json"))
    assert "there is no recording" in missing["faults"][0]
    assert "--record' makes it" in missing["faults"][0]

    words = ("task", "test", "sums.task.yaml", "--record", "--model", f"scripted:{tmp_path / 'words.yaml'}")
    [made] = desk.json(*words)
    assert made["faults"] == []
    kinds = [json.loads(line).get("kind") for line in cassette.read_text("utf-8").splitlines()]
    assert kinds == [None, "model", "tool", "model", "model"]

    monkeypatch.setenv("MOTET_MODEL", "openai:none@http://127.0.0.1:1/v1")
    (tmp_path / "words.yaml").unlink()
    [played] = desk.json("task", "test", "sums.task.yaml")
    assert played["faults"] == []
    (tmp_path / "sums.task.yaml").write_text(RECORDED.replace("You count.", "You add."), "utf-8")
    [other] = json.loads(failing(desk, "task", "test", "sums.task.yaml", "--json"))
    assert "The recording has no such call of the model" in other["faults"][0]


def test_what_fails_is_not_recorded(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "sums.task.yaml").write_text(RECORDED, "utf-8")
    (tmp_path / "words.yaml").write_text("rules: [{user: batteries, reply: {fault: refused}}]", "utf-8")
    shown = failing(
        desk, "task", "test", "sums.task.yaml", "--record", "--model", f"scripted:{tmp_path / 'words.yaml'}"
    )
    assert "not recorded: Step 'a' failed" in shown
    assert not (tmp_path / "cassettes").exists()


def failing(desk: Desk, *words: str) -> str:
    """Run a command whose tests fail; return what it printed."""
    from motet.cli.entry import run

    desk._capsys.readouterr()
    assert run(list(words)) == 1
    return desk._capsys.readouterr().out
