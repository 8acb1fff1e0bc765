"""`motet task`: checking, showing and beginning task files.

What does not live here: running them (`task_run`), and what is wrong with one (`motet.tasks.check`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, note, print_json, print_table

if TYPE_CHECKING:
    from motet.settings import Settings
    from motet.tasks.check import Known
    from motet.tasks.load import TaskFile

File = Annotated[Path, typer.Argument(metavar="FILE", help="A task file: NAME.task.yaml.")]


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Task files.")], as_json: AsJson = False
) -> None:
    """Check task files, and list everything that is wrong; nothing is run."""
    from motet.errors import InvalidInput
    from motet.tasks.load import examine

    known = known_names()
    lines: list[str] = []
    for file in files:
        try:
            lines += [str(problem) for problem in examine(file, known)[1]]
        except InvalidInput as error:
            lines.append(error.message)
    if as_json:
        print_json({"valid": not lines, "problems": lines})
    else:
        for line in lines:
            print(" ".join(line.split()))
        if not lines:
            print(f"{', '.join(map(str, files))}: nothing is wrong")
    if lines:
        raise typer.Exit(exit_codes.USAGE)


def schema() -> None:
    """Print the JSON Schema of task files, for editors."""
    from motet.tasks.spec import json_schema

    print_json(json_schema())


def graph(
    file: File,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a task file's steps in the order in which they are done, and what each waits for."""
    from motet.tasks import order

    loaded = load(file)
    waits = order.needs(loaded.task.steps)
    steps = {step.id: step for step in loaded.task.steps}
    ordered = [steps[name] for name in order.sorted_steps(waits)]
    if as_json:
        print_json([{"id": s.id, "action": s.action, "needs": waits[s.id], "if": s.if_} for s in ordered])
    elif mermaid:
        print("flowchart TD")
        for step in ordered:
            print(f'  {step.id}["{step.id}: {step.action}"]')
            for before in waits[step.id]:
                print(f"  {before} --> {step.id}")
    else:
        rows = [[s.id, what(s), ", ".join(waits[s.id]) or "-", how(s)] for s in ordered]
        print_table(["step", "action", "after", "how"], rows, wide=3)


def init(name: Annotated[str, typer.Argument(metavar="NAME", help="The new task's name.")]) -> None:
    """Write a small task file to begin with: NAME.task.yaml."""
    from motet.errors import Conflict, InvalidInput
    from motet.tasks.starter import starter

    bare = name.removesuffix(".task.yaml")
    if not bare or Path(bare).name != bare:
        raise InvalidInput(f"'{name}' is no name for a file here.")
    path = Path(f"{bare}.task.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(bare))
    except FileExistsError:
        raise Conflict(f"{path} is there already; nothing was written.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror or error}.") from None
    note(f"{path} is written. Next: motet run {path} -i notes=@FILE")


def trust(file: File) -> None:
    """Let a task file run programs, as it is now. What it would run is shown; a change of the file ends the trust."""
    from motet.settings import Settings
    from motet.tasks import trust as trusted

    loaded = load(file)
    for words in trusted.programs(loaded):
        print(" ".join(words))
    trusted.trust(Settings.load().storage.home, loaded)
    note(f"{file} is trusted as it is now ({loaded.digest[:12]}).")


def known_names(settings: Settings | None = None) -> Known:
    """Return the tools and graphs that a task file may name with these settings."""
    from motet.app.rooms import Rooms
    from motet.app.toolbox import tool_names
    from motet.graphs.base import known_graphs
    from motet.runs.request import LOCAL_TENANT
    from motet.settings import Settings
    from motet.tasks.check import Known

    settings = settings or Settings.load()
    named = tool_names(Rooms(settings, LOCAL_TENANT), settings)
    return Known(frozenset(named), frozenset(known_graphs(settings.graphs)))


def load(file: Path, *, model: str | None = None) -> TaskFile:
    """Read and check a task file.

    Raises:
        InvalidInput: Something is wrong with it.
    """
    from motet.tasks.load import load_task

    return load_task(file, known_names(), model=model)


def what(step: object) -> str:
    """Return a step's action as it is shown: `agent writer`."""
    from motet.tasks.spec import Step

    assert isinstance(step, Step)
    value = getattr(step, step.action)
    return f"{step.action} {value}" if isinstance(value, str) and step.action != "approve" else step.action


def how(step: object) -> str:
    """Return what else is to be known of a step: its condition, its repetitions."""
    from motet.tasks.spec import Step

    assert isinstance(step, Step)
    parts = [f"if {step.if_}" if step.if_ else "", "for each" if step.foreach is not None else ""]
    parts += [f"until {step.loop.until}" if step.loop else "", f"saves {step.save}" if step.save else ""]
    return "; ".join(part for part in parts if part)
