"""The table says what happened, and what did not hold stands below it."""

from __future__ import annotations

from tests.chaos.report import Row, render


def test_rows_failures_and_what_was_left_out_are_told_apart() -> None:
    rows = [
        Row("R-01", "kill -9", "sqlite", "3 kills", lost=0, repeated=0, counts={"runs": 9}, seconds=1.2),
        Row("R-02", "kill -9", "sqlite", "3 kills", lost=1, repeated=0, passed=False, details=["lost: r1"]),
        Row("R-16", "clock", "sqlite", "0", passed=None, reason="libfaketime is not installed"),
        Row("-", "plain", "sqlite", "3 kills", lost=2, passed=None),
    ]
    lines = render(rows).splitlines()
    assert lines[2].split() == [
        "R-01",
        "kill",
        "-9",
        "sqlite",
        "3",
        "kills",
        "0",
        "0",
        "1",
        "pass",
        "runs",
        "9",
    ]
    assert " FAIL" in lines[3]
    assert lines[4].endswith("skipped  libfaketime is not installed")
    assert "skipped" not in lines[5]
    assert lines[-2:] == ["R-02 on sqlite:", "  lost: r1"]
