"""`motet eval run | list | show`, with scripted models."""

from __future__ import annotations

import json
from pathlib import Path

from cli_process import Motet


def test_two_models_are_evaluated_compared_and_listed(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    (tmp_path / "set.jsonl").write_text(
        '{"input": "hi", "expected": "你好"}\n{"input": "bye", "expected": "再见"}\n', "utf-8"
    )
    for name, rules in (("a", "[]"), ("b", '[{user: "bye", reply: "再见。"}]')):
        (tmp_path / f"{name}.yaml").write_text(f'rules: {rules}\ndefault: "你好。"\n', "utf-8")
    models = [f"scripted:{tmp_path / name}.yaml" for name in ("a", "b")]
    told = motet.here(
        *("eval", "run", str(tmp_path / "set.jsonl"), "-g", "chat", "--name", "first"),
        *("-m", models[0], "--against-model", models[1]),
    )
    assert told.returncode == 0, told.stderr
    assert "1 of 2 (50 %" in told.stdout
    assert "1 better, 0 worse; mean score +0.500" in told.stdout
    assert "first, 2: contains: '再见' is not in '你好。'" in told.stderr
    listed = json.loads(motet.here("eval", "list", "--json").stdout)
    assert [(one["name"], one["summary"]["passed"]) for one in listed] == [("first-against", 2), ("first", 1)]
    shown = motet.here("eval", "show", "first", "--against", "first-against").stdout
    assert "2\t✗ ✓\t0.00\tbye" in shown
    wrong = motet.here("eval", "show", "frist")
    assert wrong.returncode == 2
    assert "motet eval list" in wrong.stderr


def test_the_exit_status_tells_rows_that_could_not_be_run_from_low_scores(tmp_path: Path) -> None:
    motet = Motet(tmp_path)
    (tmp_path / "set.jsonl").write_text(
        '{"input": "hi", "expected": "你好"}\n{"input": "bye", "expected": "再见"}\n', "utf-8"
    )
    asked = ("eval", "run", str(tmp_path / "set.jsonl"), "-g", "chat")
    half = motet.here(*asked, "--name", "half", "--min", "0.5")
    assert (half.returncode, "--min" in half.stderr) == (0, False)
    low = motet.here(*asked, "--name", "half", "--min", "0.51", "--json")
    assert low.returncode == 6
    assert low.stderr.endswith("half: 50 % passed; --min asks for 51 %.\n")
    assert json.loads(low.stdout)["evaluations"][0]["summary"]["passed"] == 1
    (tmp_path / "script.yaml").write_text(
        'rules: [{user: "bye", reply: {fault: auth}}]\ndefault: "你好。"\n', "utf-8"
    )
    failed = motet.here(*asked, "--name", "broken", "--min", "1")
    assert failed.returncode == 1
    assert failed.stderr.endswith("broken: 1 of 2 rows could not be run; run it again to ask them anew.\n")
    assert "1 of 2 (50 %, 9 to 91) passed, 1 runs failed" in failed.stdout
    (tmp_path / "script.yaml").write_text('default: "你好，再见。"\n', "utf-8")
    assert motet.here(*asked, "--name", "broken", "--min", "1").returncode == 0
