"""The options of `motet run`.

What does not live here: what they do (`task_run`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input; NAME=@FILE takes a file's text."),
]
InputsFile = Annotated[
    Path | None, typer.Option("--inputs", metavar="FILE", help="A JSON object with an input for each name.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show steps, prompts and a guess of the cost.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="STEP", help="Do this step and all after it again.")
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="STEP", help="Do this step again, and no other.")
]
RerunFailed = Annotated[bool, typer.Option("--rerun-failed", help="Do again what failed, items included.")]
Approve = Annotated[
    list[str] | None,
    typer.Option("--approve", metavar="STEP", help="Answer this step's question with yes; 'all' for each."),
]
New = Annotated[bool, typer.Option("--new", help="Begin anew, beside what was done before.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="End a run that has not ended; begin with the file as it is now.")
]
Rows = Annotated[
    Path | None,
    typer.Option("--map", metavar="ROWS.jsonl", help="Run once for each line, a JSON object of inputs."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write the result here; with --map, a line a row."),
]
MaxParallel = Annotated[int, typer.Option("--max-parallel", min=1, max=64, help="With --map: rows at once.")]
Resume = Annotated[bool, typer.Option("--resume", help="With --map: go on behind the last line of --out.")]
JUnit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report, a test case a step.")
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop after this many seconds."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on stderr.")]
