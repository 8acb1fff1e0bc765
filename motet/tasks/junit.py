"""A JUnit report: what CI servers read.

Source: the XML of Jenkins' JUnit plugin, which GitLab, GitHub actions and others take: testsuite, testcase, failure,
error, skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the report."""

    name: str
    status: str
    """`done`, `failed`, `skipped`; anything else was not reached and counts as skipped."""
    seconds: float
    message: str = ""


def write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write a report; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(junit(suite, cases))


def junit(suite: str, cases: Sequence[Case]) -> bytes:
    """Return a report as XML."""
    failed = sum(case.status == "failed" for case in cases)
    skipped = sum(case.status not in ("done", "failed") for case in cases)
    counts = {"tests": len(cases), "failures": failed, "errors": 0, "skipped": skipped}
    attributes = {name: str(number) for name, number in counts.items()}
    attributes["time"] = f"{sum(case.seconds for case in cases):.3f}"
    top = ET.Element("testsuites", attributes)
    group = ET.SubElement(top, "testsuite", {"name": _clean(suite), **attributes})
    for case in cases:
        names = {"classname": _clean(suite), "name": _clean(case.name), "time": f"{case.seconds:.3f}"}
        element = ET.SubElement(group, "testcase", names)
        if case.status == "failed":
            told = _clean(case.message)
            ET.SubElement(element, "failure", {"message": told[:300]}).text = told
        elif case.status != "done":
            ET.SubElement(element, "skipped", {"message": _clean(case.message)[:300]})
        elif case.message:
            ET.SubElement(element, "system-out").text = _clean(case.message)
    ET.indent(top)
    return ET.tostring(top, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    return _NO_XML.sub("�", text)
