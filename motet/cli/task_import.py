"""`motet task import crewai`: another program's files as a task file, with what could not be carried over.

What does not live here: the conversion (`motet.tasks.crewai`).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motet.cli.lists import note
from motet.cli.task_files import load


class Kind(StrEnum):
    """Whose files are read."""

    CREWAI = "crewai"


def import_files(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="Whose files: crewai.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with agents.yaml and tasks.yaml.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write here; DIR's name unless given.")
    ] = None,
) -> None:
    """Make a task file of CrewAI's agents.yaml and tasks.yaml, and say what could not be carried over."""
    from motet.errors import Conflict, InvalidInput
    from motet.tasks.crewai import import_crew

    del kind
    made = import_crew(folder)
    path = out or Path(f"{made.data['name']}.task.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(made.to_yaml())
    except FileExistsError:
        raise Conflict(f"{path} is there already; nothing was written.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror or error}.") from None
    load(path)
    for line in made.lost:
        note(f"not carried over: {line}")
    names = " ".join(f"-i {name}=…" for name in made.data.get("inputs", {}))
    note(f"{path} is written. Next: motet run {path} {names}".rstrip())
