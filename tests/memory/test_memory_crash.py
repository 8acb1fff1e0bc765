"""Kill -9 in mid-turn: the file stays sound, and no acknowledged turn is lost or doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the rig forks")
def test_twenty_kills_lose_no_acknowledged_turn(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(3), "big")
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("crash_rig.py")),
            str(tmp_path / "crash.db"),
            "20",
            str(seed),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=240,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["kills"] == 20
    assert report["acknowledged"] > 0, report  # how many is the machine's
    assert report["in_flight"] > 0, report
