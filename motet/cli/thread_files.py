"""`motet threads export` and `motet threads import`.

What does not live here: the forms of the files (`motet.runs.threads.transfer`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003  # typer reads the types
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import AsJson, note, print_json
from motet.cli.records import Tags  # noqa: TC001
from motet.cli.session import with_app
from motet.runs.threads.export import Form

if TYPE_CHECKING:
    from motet.app import App


def export_threads(
    names: Annotated[list[str] | None, typer.Argument(help="Which.", metavar="[THREAD]...")] = None,
    every: Annotated[bool, typer.Option("--all", help="All conversations.")] = False,
    tags: Tags = None,
    form: Annotated[
        Form, typer.Option("--format", help="jsonl has everything, markdown is to read, sft is to train on.")
    ] = Form.JSONL,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="stdout unless given.")
    ] = None,
) -> None:
    """Write conversations into a file."""
    from motet.errors import InvalidInput

    if bool(names) == (every or bool(tags)):
        raise InvalidInput("Name the conversations to export, or say --all or --tag.")
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise InvalidInput(f"{out} cannot be written: it is a folder, or there is no such folder.")
    text, count = with_app(lambda app: _exported(app, names or [], tags or [], form))
    if out is None:
        sys.stdout.write(text)
    else:
        part = out.with_name(f"{out.name}.part")
        part.write_text(text, "utf-8")
        os.replace(part, out)  # noqa: PTH105  # atomic, over what was there
    note(f"Exported {count} conversations.")


async def _exported(app: App, names: list[str], tags: list[str], form: Form) -> tuple[str, int]:
    from motet.runs.threads.export import export_text

    records = app.records
    found = [await records.thread(name) for name in names] or await records.threads(
        limit=1_000_000, tags=tags
    )
    texts = [
        export_text(form, thread, await records.messages(thread.thread_id, limit=10_000_000))
        for thread in found
    ]
    return "".join(texts), sum(map(bool, texts))


def import_threads(
    file: Annotated[
        Path, typer.Argument(help="What 'motet threads export' wrote, or chat JSON lines.", metavar="FILE")
    ],
    new: Annotated[bool, typer.Option("--new", help="Give each conversation a new id.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take conversations in from a file: all of them, or none when a line is broken."""
    from motet.errors import InvalidInput

    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    ids = with_app(lambda app: _import(app, lines, str(file), new=new))
    if as_json:
        print_json(ids)
        return
    print("\n".join(ids))
    note(f"Imported {len(ids)} conversations.")


async def _import(app: App, lines: list[bytes], name: str, *, new: bool) -> list[str]:
    from motet.runs.threads.training import read_threads

    files = read_threads(lines, name, graph=app.settings.agents.graph)
    return await app.import_threads(files, new_ids=new)
