"""Task files written for a test, and what is around them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from motet.tasks.check import Known
from motet.tasks.load import TaskFile, examine, load_task

KNOWN = Known(
    frozenset({"calculator", "search_documents", "read_file", "now"}), frozenset({"chat", "ensemble"})
)

HEAD = "schema: motet.task/v1\nname: demo\n"


def write(folder: Path, text: str, name: str = "demo.task.yaml", *, head: str = HEAD) -> Path:
    """Write a task file; `text` is indented as it is convenient."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + textwrap.dedent(text).lstrip("\n"), "utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a task file, each thing without its folder."""
    return [str(problem).replace(f"{folder}/", "") for problem in examine(write(folder, text), KNOWN)[1]]


def load(folder: Path, text: str, name: str = "demo.task.yaml") -> TaskFile:
    """Write and load a task file that is right."""
    return load_task(write(folder, text, name), KNOWN)
