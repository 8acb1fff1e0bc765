"""The JUnit report."""

from pathlib import Path
from xml.etree import ElementTree as ET

from motet.tasks.junit import Case, write_junit


def test_a_report_counts_and_tells(tmp_path: Path) -> None:
    cases = [
        Case("写", "done", 1.5, "ok"),
        Case("b", "failed", 0.25, "no\x00 & <x>"),
        Case("c", "pending", 0.0),
    ]
    write_junit(tmp_path / "deep" / "junit.xml", "demo", cases)
    suite = ET.parse(tmp_path / "deep" / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped"), suite.get("time")) == (
        "3",
        "1",
        "1",
        "1.750",
    )
    assert suite[0].get("name") == "写"
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.text == "no� & <x>"
    assert suite[2].find("skipped") is not None
