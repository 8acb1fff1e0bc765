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
