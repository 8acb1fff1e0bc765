"""`motet task import crewai`."""

from pathlib import Path

import pytest
from cli_desk import Desk, open_desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return open_desk(tmp_path, monkeypatch, capsys)


def test_a_crew_is_written_as_a_file_that_is_right(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.cli.entry import run

    (tmp_path / "agents.yaml").write_text(
        "w: {role: Writer, goal: Write, backstory: Old., verbose: true, cache: true}\n"
    )
    (tmp_path / "tasks.yaml").write_text(
        "t: {description: 'Write on {topic}.', expected_output: Text, agent: w}\n"
    )
    assert run(["task", "import", "crewai", ".", "-o", "crew.task.yaml"]) == 0
    told = capsys.readouterr().err
    assert "not carried over: agents.yaml: w.cache true" in told
    assert "Next: motet run crew.task.yaml -i topic=…" in told
    assert "nothing is wrong" in desk("task", "validate", "crew.task.yaml")
    assert desk("run", "crew.task.yaml", "-i", "topic=茶", "-q") == "Hello, 你好。\n"
    assert "is there already" in desk("task", "import", "crewai", ".", "-o", "crew.task.yaml", status=2)
