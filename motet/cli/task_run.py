"""`motet run FILE`: a task file as a run like any other; the same command again goes on where it stopped.

What does not live here: many rows (`task_map`), what would be done (`task_plan`), and what a run is (the gate).

One file with one set of inputs is one conversation: its id is made of both, so that a second call finds the first.
"""

from __future__ import annotations

import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli import task_options as options
from motet.cli.ask import Model, Output, Plain, end
from motet.cli.session import Terminal, with_app
from motet.cli.task_asked import options_of, take_documents, thread_of
from motet.cli.task_files import File, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.cli.render.outcome import Outcome
    from motet.cli.stops import Stops
    from motet.cli.task_result import TaskResult
    from motet.cli.view import View
    from motet.runs.request import RunRecord
    from motet.tasks.load import TaskFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    file: TaskFile
    inputs: dict[str, Any]
    first: str | None = None
    only: Sequence[str] = ()
    failed: bool = False
    approve: Sequence[str] = ()
    new: bool = False
    restart: bool = False
    timeout_s: float | None = None
    quiet: bool = False

    @property
    def continues(self) -> bool:
        """Whether what was done before is kept even where it all went well."""
        return bool(self.first or self.only or self.failed)


@dataclass(slots=True)
class Shown:
    """How the run is shown, and what it came to."""

    view: View
    result: TaskResult
    stops: Stops
    notes: list[str] = field(default_factory=list[str])


def run(
    file: File,
    *,
    inputs: options.Inputs = None,
    inputs_file: options.InputsFile = None,
    model: Model = None,
    dry_run: options.DryRun = False,
    first: options.From = None,
    only: options.Only = None,
    failed: options.RerunFailed = False,
    approve: options.Approve = None,
    new: options.New = False,
    restart: options.Restart = False,
    rows: options.Rows = None,
    out: options.Out = None,
    max_parallel: options.MaxParallel = 4,
    resume: options.Resume = False,
    output: Annotated[Output, typer.Option("--output", help="What stdout carries.")] = Output.TEXT,
    junit: options.JUnit = None,
    timeout_s: options.Timeout = None,
    quiet: options.Quiet = False,
    plain: Plain = False,
) -> None:
    """Run a task file, or go on with it where an earlier run stopped."""
    from motet.cli import task_map, task_plan

    loaded = load(file, model=model)
    _check(loaded, [*(only or []), *([first] if first else [])], [a for a in approve or [] if a != "all"])
    approved = tuple(_approved(loaded, approve or []))
    given = _given(loaded, inputs, inputs_file)
    if rows is not None:
        task_map.run(task_map.Job(loaded, rows, out, given, max_parallel, resume, approved, quiet))
        return
    complete = _complete(loaded, given)
    if dry_run:
        task_plan.show(loaded, complete, as_json=output is not Output.TEXT)
        return
    wanted = Wanted(
        file=loaded, inputs=complete, first=first, only=only or [], failed=failed, approve=approved,
        new=new, restart=restart, timeout_s=timeout_s, quiet=quiet,
    )  # fmt: skip
    _run(wanted, output, out, junit, Terminal.detect(plain=plain))


def _run(wanted: Wanted, output: Output, out: Path | None, junit: Path | None, terminal: Terminal) -> None:
    from motet.cli.stops import Stops
    from motet.cli.task_result import TaskResult, task_view

    stops = Stops()
    result = TaskResult(wanted.file.task.name)
    view = task_view(terminal, result, output.value, out, quiet=wanted.quiet)
    shown = Shown(view, result, stops)
    try:
        outcome = with_app(lambda app: work(app, wanted, shown), stops=stops)
    except typer.Exit:
        if stops.status is not None and not wanted.quiet:
            _say("stopped; the same command again goes on from here")
        raise
    finally:
        view.close()
        if junit is not None:
            from motet.tasks.junit import write_junit

            write_junit(junit, wanted.file.task.name, result.cases())
    end(outcome, stops)


async def work(app: App, wanted: Wanted, shown: Shown) -> Outcome:
    """Start the run, or go on with one, and follow it to its end; ask the person what it asks, where there is one."""
    import asyncio

    from motet.cli.task_questions import answers

    starting = asyncio.create_task(app.start_worker())
    try:
        await take_documents(app, wanted.file, wanted.inputs)
        run_id = await begin(app, wanted)
        await starting
        if wanted.timeout_s is not None:
            asyncio.get_running_loop().call_later(wanted.timeout_s, shown.stops.ask, exit_codes.TIMEOUT)
        while True:
            outcome = await shown.view.follow(app, run_id)
            if outcome.status != "interrupted":
                return outcome
            given = await answers(outcome.questions, wanted.approve, quiet=wanted.quiet)
            if not given:
                return outcome
            run_id = await _answer(app, outcome.thread_id, given)
    finally:
        starting.cancel()


async def begin(app: App, wanted: Wanted) -> str:
    """Return the id of the run to follow: one that has not ended, or a new one."""
    from motet.cli.task_questions import answers

    thread_id = str(uuid.uuid4()) if wanted.new else thread_of(wanted.file, wanted.inputs)
    newest = await app.records.runs(thread_id, limit=1)
    last = newest[0] if newest else None
    if last is not None and last.status in ("pending", "running", "interrupted"):
        await _notice_edits(app, wanted, last)
        if wanted.restart:
            await _end(app, last)
        elif last.status == "interrupted":
            given = await answers(await app.records.questions(last), wanted.approve, quiet=wanted.quiet)
            return await _answer(app, thread_id, given) if given else last.run_id
        else:
            _note(wanted, f"run {last.run_id[:8]} has not ended; it goes on")
            await app.resume_thread(thread_id)
            return last.run_id
    return await _start(app, wanted, thread_id, last)


async def _start(app: App, wanted: Wanted, thread_id: str, last: RunRecord | None) -> str:
    from motet.runs.request import RunRequest
    from motet.tasks import order

    keep = last is not None and (wanted.continues or last.status != "success")
    redo: set[str] = set(wanted.only)
    if wanted.first:
        redo = order.after(order.needs(wanted.file.task.steps), {wanted.first})
    control = {
        "keep": keep,
        "redo": sorted(redo),
        "only": list(wanted.only),
        "approved": list(wanted.approve),
    }
    if keep and not redo:
        _note(wanted, "what an earlier run has done is kept")
    again = last.run_id if keep and not redo and last is not None else None
    request = RunRequest(
        graph="task",
        thread_id=thread_id,
        create_thread=True,
        input={"inputs": wanted.inputs, "control": control},
        options=await options_of(app, wanted.file, reuse=again),
        metadata={"title": wanted.file.task.name, "task": wanted.file.file},
    )
    return (await app.submit(request)).run_id


async def _notice_edits(app: App, wanted: Wanted, last: RunRecord) -> None:
    """Say when the file was edited since the run began."""
    digest = (await app.records.options(last.run_id)).task
    if digest is None or wanted.restart:
        return
    from motet.tasks.load import digest_of

    if digest != digest_of(wanted.file.lock()):
        _say(
            f"{wanted.file.file} was changed since run {last.run_id[:8]} began: that goes on as it was. "
            "--restart ends it and begins with the file as it is now; what did not change is kept."
        )


async def _end(app: App, last: RunRecord) -> None:
    if last.status != "interrupted":
        await app.cancel(last.run_id, reason="restarted")
        await app.resume_thread(last.thread_id)
        async for _ in app.follow(last.run_id):
            pass


async def _answer(app: App, thread_id: str, given: dict[str, Any]) -> str:
    from motet.runs.request import RunRequest

    return (await app.submit(RunRequest(thread_id=thread_id, answers=given))).run_id


def _given(file: TaskFile, pairs: list[str] | None, path: Path | None) -> dict[str, Any]:
    from motet.tasks.inputs import read_json_file, read_pairs

    from_file = read_json_file(path) if path is not None else {}
    return from_file | read_pairs(file.task, pairs or [], folder=Path.cwd())


def _complete(file: TaskFile, given: dict[str, Any]) -> dict[str, Any]:
    from motet.tasks.inputs import complete

    return complete(file.task, given)


def _check(file: TaskFile, steps: list[str], approved: list[str]) -> None:
    """Refuse names of steps that the file does not have."""
    from motet.errors import NotFound, did_you_mean

    known = [step.id for step in file.task.steps]
    for name in [*steps, *approved]:
        if name not in known:
            raise NotFound(f"{file.task.name} has no step '{name}'.{did_you_mean(name, known)}", step=name)


def _approved(file: TaskFile, names: list[str]) -> list[str]:
    asking = [step.id for step in file.task.steps if step.approve is not None]
    return asking if "all" in names else names


def _say(text: str) -> None:
    from motet.cli.say import say

    say(text)


def _note(wanted: Wanted, text: str) -> None:
    if not wanted.quiet:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
