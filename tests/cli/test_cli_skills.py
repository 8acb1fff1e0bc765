"""`motet eval skills`, with a scripted model."""

from __future__ import annotations

import json
from pathlib import Path

from cli_process import Motet


def test_a_table_for_people_and_for_programs(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    told = motet.here("eval", "skills", "--no-compare", "--sample", "12")
    assert told.returncode == 0, told.stderr
    assert "memory, zh" in told.stdout
    assert "motet: " in told.stderr
    kept = ("--results", str(tmp_path / "results.jsonl"))
    motet.here("eval", "skills", "--no-compare", "--sample", "6", *kept)
    done = motet.here("eval", "skills", "--no-compare", "--sample", "12", "--json", *kept)
    assert len((tmp_path / "results.jsonl").read_text("utf-8").splitlines()) == 12
    found = json.loads(done.stdout)
    assert len(found["results"]) == 12
    assert found["table"][-1]["skill"] == "all"


def test_the_comparison_needs_a_server(tmp_path: Path) -> None:
    done = Motet(tmp_path).here("eval", "skills", "--sample", "2")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "motet[eval]" in done.stderr or "no server" in done.stderr
