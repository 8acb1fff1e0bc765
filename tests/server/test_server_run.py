"""A server that is killed and started again: its streams go on where they were, and nothing is lost or said twice."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_house import says, server_settings
from server_process import serve

from motet import Settings

STEPS = 4
ROOT = Path(__file__).parent.parent.parent


def read_until(url: str, run_id: str, seen: list[dict[str, Any]], *, stop_at: str = "") -> None:
    """Add a run's events to those that were seen, from where they end; until one of a kind, or the stream's end."""
    last = {"Last-Event-ID": str(seen[-1]["seq"])} if seen else {}
    with httpx.stream(
        "GET", f"{url}/motet/v1/runs/{run_id}/events", headers=last, timeout=60, trust_env=False
    ) as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
                if stop_at and seen[-1]["type"] == stop_at:
                    return


@pytest.fixture
def project(settings: Settings, tmp_path: Path) -> Path:
    server_settings(settings, tmp_path)
    return tmp_path / "project"


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    return {
        "MOTET_HOME": str(tmp_path / "served"),
        "MOTET_MODEL": f"scripted:{tmp_path / 'script.json'}",
        "MOTET_MODEL_EMBED": "none",
        "MOTET_GATE": str(tmp_path / "gate"),
    }


def test_a_stream_survives_a_server_that_is_killed(
    project: Path, surroundings: dict[str, str], tmp_path: Path
) -> None:
    seen: list[dict[str, Any]] = []
    with serve(project, "--port", "0", **surroundings) as (process, url):
        answer = httpx.post(
            f"{url}/motet/v1/runs", json=says("go", graph="steps"), timeout=60, trust_env=False
        )
        run_id = answer.json()["run_id"]
        read_until(url, run_id, seen, stop_at="custom")
        process.kill()
        process.wait()
    (tmp_path / "gate").touch()  # the rest of the steps need not wait
    with serve(project, "--port", "0", **surroundings) as (_, url):
        read_until(url, run_id, seen)
        whole: list[dict[str, Any]] = []
        read_until(url, run_id, whole)
    assert seen == whole
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1]["type"] == "run.completed"
    assert [e["attempt"] for e in seen if e["type"] == "run.started"] == [1, 2]
    assert {e["data"] for e in seen if e["type"] == "custom"} == set(range(STEPS))


@pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine")
def test_the_example_in_java_asks_and_follows(project: Path, surroundings: dict[str, str]) -> None:
    with serve(project, "--port", "0", **surroundings) as (_, url):
        command = ["java", str(ROOT / "examples" / "MotetClient.java"), url, '你好，"Motet"']
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ}
        )
    assert (done.returncode, done.stdout.strip()) == (0, "Hello there."), done.stderr
