"""`motet run --map`: one run a row, one line a row, in the rows' order, whatever fails.

What does not live here: the rows themselves (`motet.tasks.rows`), and one run alone (`task_run`).

Memory is flat: rows are read as they are needed, and at most `AHEAD` times the parallel rows are between the next
one to submit and the next one to write. Each row's run is named by a key, so that a row which a crash left at work is
found again and not begun twice.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from motet.cli import exit_codes
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from motet.app import App
    from motet.runs.request import RunOptions
    from motet.tasks.load import TaskFile
    from motet.tasks.rows import Results

AHEAD = 8
"""How many rows may wait for a slow one before them, for each that is worked on."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the command line asks for."""

    file: TaskFile
    rows: Path
    out: Path | None
    inputs: dict[str, Any]
    """Inputs that are the same for every row; a row's own are stronger."""
    max_parallel: int
    resume: bool
    approve: tuple[str, ...] = ()
    quiet: bool = False


@dataclass(slots=True)
class _Done:
    """What has been done so far."""

    failed: int = 0
    began: float = field(default_factory=time.monotonic)
    written: int = 0


def run(job: Job) -> None:
    """Run a task file for every row.

    Raises:
        InvalidInput: A row is not JSON, or the file to write does not belong to these rows; nothing was run.
        Exit: A row failed, or somebody stopped it.
    """
    from motet.cli.stops import Stops
    from motet.tasks.rows import count_rows, open_results

    total = count_rows(job.rows)
    stops = Stops()
    with open_results(job.out, job.rows, resume=job.resume) as results:
        try:
            done = with_app(
                lambda app: _work(app, job, results, total),
                stops=stops,
                overrides={"runs.concurrency": job.max_parallel},
            )
        except typer.Exit:
            if job.out is not None:
                _note(job, f"stopped after {results.written} rows; --resume goes on")
            raise
        results.finish()
    took = time.monotonic() - done.began
    rate = done.written / took if took else 0.0
    pace = f"{rate:.1f} a second" if rate >= 0.5 else f"{took / max(done.written, 1):.0f} s a row"
    _note(job, f"{done.written} rows in {took:.1f} s ({pace}), {done.failed} failed")
    if done.failed:
        raise typer.Exit(exit_codes.FAILED)


async def _work(app: App, job: Job, results: Results, total: int) -> _Done:
    from motet.cli.task_asked import options_of
    from motet.tasks.rows import read_rows

    await app.start_worker()
    options = await options_of(app, job.file)
    if results.lock is not None and results.lock != options.task:
        _note(
            job,
            f"{job.file.file} was changed since these rows were begun: they go on with the file as it was",
        )
        options = options.model_copy(update={"task": results.lock})
    results.keep_lock(options.task)
    done, running = _Done(), dict[int, asyncio.Task[dict[str, Any]]]()
    work = _Map(app, job, options, results.map_id)
    rows = read_rows(job.rows, after=results.written)
    next_row = results.written
    with _progress(job, total, results.written) as advance:
        try:
            while next_row < total or running:
                while next_row < total and len(running) < job.max_parallel * AHEAD and _free(running, job):
                    running[next_row] = asyncio.create_task(work.row(next_row, next(rows)))
                    next_row += 1
                await asyncio.wait(_at_work(running), return_when=asyncio.FIRST_COMPLETED)
                while results.written in running and running[results.written].done():
                    line = running.pop(results.written).result()
                    results.write(line)
                    done.written += 1
                    done.failed += line["status"] != "success"
                    advance()
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)
    return done


def _free(running: dict[int, asyncio.Task[dict[str, Any]]], job: Job) -> bool:
    return sum(not task.done() for task in running.values()) < job.max_parallel * 2


def _at_work(running: dict[int, asyncio.Task[dict[str, Any]]]) -> list[asyncio.Task[dict[str, Any]]]:
    """Return the tasks to wait for: those that have not ended, or the next one to write when all have."""
    return [task for task in running.values() if not task.done()] or list(running.values())[:1]


@dataclass(frozen=True, slots=True)
class _Map:
    """Runs the task for one row after the other."""

    app: App
    job: Job
    options: RunOptions
    map_id: str

    async def row(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        """Run the task for one row; return its line."""
        from motet.cli.task_result import TaskResult
        from motet.errors import InvalidInput
        from motet.tasks.inputs import complete

        task = self.job.file.task
        line: dict[str, Any] = {"row": number, **({"id": row["id"]} if "id" in row else {})}
        given = self.job.inputs | {name: value for name, value in row.items() if name in task.inputs}
        try:
            inputs = complete(task, given)
        except InvalidInput as error:
            return {**line, "status": "error", "outputs": None, "error": error.message, "run_id": None}
        result = TaskResult(task.name)
        async for recorded in self.app.follow(await self._submit(number, inputs)):
            result.show(recorded)
        outcome = result.outcome
        self.app.let_go(outcome.thread_id)
        asked = f"it asks: {outcome.questions[0].value}" if outcome.questions else None
        error = str((outcome.error or {}).get("message")) if outcome.error else asked
        ended = {
            "status": outcome.status,
            "outputs": result.outputs,
            "error": error,
            "run_id": outcome.run_id,
        }
        return {**line, **ended}

    async def _submit(self, number: int, inputs: dict[str, Any]) -> str:
        import uuid

        from motet.cli.task_asked import ROOT
        from motet.runs.request import RunRequest

        key = f"{self.map_id}:{number}"
        request = RunRequest(
            graph="task",
            thread_id=str(uuid.uuid5(ROOT, key)),
            create_thread=True,
            input={"inputs": inputs, "control": {"approved": list(self.job.approve)}},
            options=self.options,
            idempotency_key=key,
            metadata={"title": self.job.file.task.name, "task": self.job.file.file},
        )
        accepted = await self.app.submit(request)
        if not accepted.created:
            await self.app.resume_thread(accepted.thread_id)
        return accepted.run_id


@contextmanager
def _progress(job: Job, total: int, begun: int) -> Generator[Callable[[], None]]:
    """Show a bar with the rate and the time left on a terminal; nothing elsewhere."""
    if job.quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    from motet.cli.session import console

    began = time.monotonic()
    columns = (
        TextColumn("rows"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeLeft(),
    )
    with Progress(*columns, console=console(sys.stderr)) as bar:
        shown = bar.add_task("rows", total=total, completed=begun, rate="")
        count = 0

        def advance() -> None:
            nonlocal count
            count += 1
            bar.update(shown, advance=1, rate=f"{count / max(time.monotonic() - began, 0.001):.1f}/s")

        yield advance


def _note(job: Job, text: str) -> None:
    if not job.quiet:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
