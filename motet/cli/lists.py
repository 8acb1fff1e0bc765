"""Print records: as a table for people, as tab-separated lines for a pipe, as JSON for programs.

What does not live here: which records.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from motet.runs.glance import ThreadFacts

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option that every command has that lists or shows."""

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Print at most this many.")]

ID_CHARS = 8
"""Characters of an id that a table shows; they are enough to name it."""


def print_json(value: Any) -> None:
    """Print plain data as JSON on stdout."""
    from motet.cli.render.machine import to_json

    print(to_json(value))


def dump(records: Sequence[BaseModel | ThreadFacts]) -> list[dict[str, Any]]:
    """Return records as plain data."""
    return [asdict(record) if is_dataclass(record) else record.model_dump(mode="json") for record in records]


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, wide: int) -> None:
    """Print rows on stdout; the column `wide` gives way where there is no room.

    A pipe gets the values alone, separated by tabs, a row a line, nothing broken or cut off.
    """
    flat = [[" ".join(value.split()) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in flat:
            print("\t".join(row))
        return
    from motet.cli.session import console
    from motet.cli.tables import lay_out

    target = console(sys.stdout)
    for line in lay_out(headers, flat, wide=wide, width=target.width):
        target.print(line, soft_wrap=True)


def note(message: str) -> None:
    """Print a line for the person on stderr."""
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is lost; `yes` answers.

    Raises:
        InvalidInput: Nobody can be asked.
        Exit: The answer was no.
    """
    from motet.errors import InvalidInput

    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInput(f"{question} Nobody can be asked here: add --yes to say so.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)
