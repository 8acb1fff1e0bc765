"""`motet runs`: what is on disk. No graph and no model is imported here.

What does not live here: conversations (`records`).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import ID_CHARS, AsJson, Limit, dump, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.events import InterruptRequested, Recorded
    from motet.runs.request import RunRecord

RunName = Annotated[str, typer.Argument(help="Id, or the first characters of it.", metavar="RUN")]


def list_runs(
    thread: Annotated[str | None, typer.Option("--thread", "-t", help="Only of this conversation.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""

    async def read(app: App) -> list[RunRecord]:
        thread_id = (await app.records.thread(thread)).thread_id if thread else None
        return await app.records.runs(thread_id, limit=limit)

    found = with_app(read)
    if as_json:
        print_json(dump(found))
        return
    print_table(["id", "thread", "graph", "status", "began", "took"], [_run_row(r) for r in found], wide=2)
    if not found:
        note("No runs yet.")


def show_run(
    run: RunName,
    as_json: AsJson = False,
) -> None:
    """Print what a run did: its plan, its steps, its tool calls and its answer."""

    async def read(app: App) -> tuple[RunRecord, list[Recorded], list[InterruptRequested]]:
        found = await app.records.run(run)
        return found, await read_events(app, found), await app.records.questions(found)

    record, events, questions = with_app(read)
    if as_json:
        lines = [recorded.to_line() for recorded in events]
        shown = {"run": record.model_dump(mode="json"), "events": lines, "questions": dump(questions)}
        print_json(shown)
        return
    _replay(record, events)
    _print_questions(record, questions)


def resume_run(
    run: RunName,
    answer: Annotated[
        str, typer.Option("--answer", "-a", help="The answer: JSON, or text.", metavar="ANSWER")
    ],
    interrupt: Annotated[
        str | None,
        typer.Option("--interrupt", "-i", help="Which question, where there are several.", metavar="ID"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on stderr.")] = False,
) -> None:
    """Answer what a run waits for, and go on with it."""
    from motet.cli.answer import resume

    resume(run, interrupt, answer, quiet=quiet)


def cancel_run(run: RunName) -> None:
    """Stop a run, whichever process works on it."""
    from motet.errors import Conflict

    async def cancel(app: App) -> tuple[RunRecord, bool]:
        found = await app.records.run(run)
        return found, await app.cancel(found.run_id)

    record, asked = with_app(cancel)
    if not asked:
        raise Conflict(f"Run {record.run_id} has ended already: its status is {record.status}.")
    note(f"Run {record.run_id} was asked to stop.")


def work_on_runs(
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency", "-c", min=1, help="Runs at once, instead of MOTET_CONCURRENCY.", metavar="N"
        ),
    ] = None,
) -> None:
    """Work on the runs of every conversation until Ctrl-C or SIGTERM; a second signal leaves at once."""
    from motet.cli.work import work

    work(concurrency)


async def read_events(app: App, run: RunRecord) -> list[Recorded]:
    """Return what a run's log holds now, whether it has ended or not."""
    found: list[Recorded] = []
    if run.last_seq:
        async for recorded in app.follow(run.run_id):
            found.append(recorded)
            if recorded.seq >= run.last_seq:
                break
    return found


def _replay(record: RunRecord, events: Sequence[Recorded]) -> None:
    """Print a run's events as `ask` would have shown them, all on stdout."""
    from motet.cli.render.answers import WholeAnswer
    from motet.cli.render.notes import PlainNotes

    print(f"run {record.run_id} · {record.graph} · {record.status}")
    notes, answer = PlainNotes(sys.stdout), WholeAnswer(lambda text: print(f"\n{text}", end=""))
    for recorded in events:
        notes.show(recorded)
        answer.show(recorded)
    answer.close()
    if record.error:
        print(f"failed: {record.error.get('message', '')}")


def _print_questions(record: RunRecord, questions: Sequence[InterruptRequested]) -> None:
    """Print what a run waits for, whole, and how to answer."""
    from motet.cli.render.wording import how_to_answer

    for asked in questions:
        print(f"\nquestion {asked.interrupt_id}")
        print_json({"value": asked.value, "response_schema": asked.response_schema})
    for line in how_to_answer(record.run_id, questions):
        print(line)


def _run_row(run: RunRecord) -> list[str]:
    from motet.cli.render.wording import ago, duration

    took = duration(run.ended_at - run.started_at) if run.started_at and run.ended_at else ""
    began = ago(run.created_at, time.time())
    return [run.run_id[:ID_CHARS], run.thread_id[:ID_CHARS], run.graph, run.status, began, took]
