"""`motet threads` and `motet runs`: what is on disk. No graph and no model is imported here.

What does not live here: going on with a thread (`ask`, `chat`).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.lists import ID_CHARS, AsJson, Limit, confirm, dump, note, print_json, print_table
from motet.cli.schedule import schedule
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.events import InterruptRequested, Recorded
    from motet.runs.request import MessageRecord, RunRecord, ThreadRecord
    from motet.runs.threads.values import Turn

threads = typer.Typer(
    help="Conversations: list, show, search, tag, fork, rewind, compare, export, delete.",
    no_args_is_help=True,
)
runs = typer.Typer(
    help="Runs: list them, show what one did, answer one that waits, cancel one.", no_args_is_help=True
)
runs.add_typer(schedule, name="schedule")

ThreadName = Annotated[str, typer.Argument(help="Id, first characters of it, or title.", metavar="THREAD")]

RunName = Annotated[str, typer.Argument(help="Id, or the first characters of it.", metavar="RUN")]

Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; several: with all.")
]

ROLES = {"user": "you", "assistant": "motet"}
"""What a transcript calls who speaks."""


@threads.command("list")
def list_threads(limit: Limit = 20, tags: Tags = None, as_json: AsJson = False) -> None:
    """List conversations, the one used last first."""
    found = with_app(lambda app: app.records.threads(limit=limit, tags=tags or ()))
    if as_json:
        print_json(dump(found))
        return
    print_table(["id", "title", "messages", "used", ""], thread_rows(found, time.time()), wide=1)
    if not found:
        note(
            f"No conversation is tagged {' and '.join(tags)}."
            if tags
            else "No conversations yet. 'motet ask' begins one."
        )


def thread_rows(found: Sequence[ThreadRecord], now: float) -> list[list[str]]:
    """Return threads as rows of a table: id, title, messages, last use, status unless idle, and tags."""
    from motet.cli.render.wording import ago

    return [
        [
            thread.thread_id[:ID_CHARS],
            thread.title,
            str(thread.messages),
            ago(thread.updated_at, now),
            " ".join(
                ([] if thread.status == "idle" else [thread.status]) + [f"+{tag}" for tag in thread.tags]
            ),
        ]
        for thread in found
    ]


@threads.command("show")
def show_thread(
    thread: ThreadName,
    limit: Limit = 200,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="The turns instead, and the checkpoint of each.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a conversation."""
    if checkpoints:
        from motet.cli.threads import print_turns

        async def points(app: App) -> tuple[ThreadRecord, list[Turn]]:
            found = await app.records.thread(thread)
            return found, await app.threads.turns(found.thread_id)

        print_turns(*with_app(points), as_json=as_json)
        return

    async def read(app: App) -> tuple[ThreadRecord, list[MessageRecord]]:
        found = await app.records.thread(thread)
        return found, await app.records.messages(found.thread_id, limit=limit)

    record, messages = with_app(read)
    if as_json:
        print_json({"thread": record.model_dump(mode="json"), "messages": dump(messages)})
        return
    note(f"{record.title} ({record.thread_id})")
    _print_transcript(messages)


@threads.command("search")
def search_threads(
    words: Annotated[list[str], typer.Argument(help="Words, in English or Chinese.", metavar="QUERY")],
    limit: Limit = 20,
    tags: Tags = None,
    as_json: AsJson = False,
) -> None:
    """Search all conversations."""
    query = " ".join(words)
    found = with_app(lambda app: app.records.search(query, limit=limit, tags=tags or ()))
    if as_json:
        print_json(
            [{"thread": t.model_dump(mode="json"), "message": m.model_dump(mode="json")} for t, m in found]
        )
        return
    print_table(["id", "who", "text"], found_rows(found, query), wide=2)
    if not found:
        note(f"No message has '{query}'.")


def found_rows(found: Sequence[tuple[ThreadRecord, MessageRecord]], query: str) -> list[list[str]]:
    """Return hits as rows of a table: id, who said it, the text around the first word that was looked for."""
    return [
        [thread.thread_id[:ID_CHARS], ROLES.get(message.role, message.role), _around(message.text, query)]
        for thread, message in found
    ]


@threads.command("rename")
def rename_thread(thread: ThreadName, title: Annotated[str, typer.Argument(help="The new title.")]) -> None:
    """Give a conversation another title."""
    from motet.errors import InvalidInput

    async def rename(app: App) -> None:
        found = await app.records.thread(thread)
        await app.records.rename_thread(found.thread_id, title)

    if not title.strip():
        raise InvalidInput("A title needs at least one character.")
    with_app(rename)


@threads.command("rm")
def delete_threads(
    names: Annotated[
        list[str], typer.Argument(help="Ids, first characters, or titles.", metavar="THREAD...")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete conversations, with their runs."""

    async def find(app: App) -> list[ThreadRecord]:
        return [await app.records.thread(name) for name in names]

    async def delete(app: App) -> None:
        for thread in found:
            await app.delete_thread(thread.thread_id)

    found = list({thread.thread_id: thread for thread in with_app(find)}.values())
    titles = ", ".join(f"“{thread.title}”" for thread in found)
    confirm(f"Delete {titles}? It cannot be brought back.", yes=yes)
    with_app(delete)
    note(f"Deleted {titles}.")


@runs.command("list")
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


@runs.command("show")
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


@runs.command("resume")
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


@runs.command("cancel")
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


@runs.command("work")
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


def _print_transcript(messages: Sequence[MessageRecord]) -> None:
    from rich.text import Text

    from motet.cli.markdown.paint import Block
    from motet.cli.render.wording import answer_text, citations
    from motet.cli.session import console

    target = console(sys.stdout)
    for message in messages:
        who = ROLES.get(message.role, message.role)
        if not target.is_terminal:
            print(f"{who}:\n{answer_text(message.text, message.citations)}")
            continue
        target.print(Text(f"{who} ›", style="bold"))
        target.print(Block(message.text) if message.role == "assistant" else Text(message.text))
        below: list[Any] = [Text(line, style="dim") for line in citations(message.citations)]
        target.print(*below, sep="\n")


def _around(text: str, query: str, chars: int = 60) -> str:
    """Return the text around the first word of the query that stands in it as it is; else its beginning."""
    line = " ".join(text.split())
    lower = line.lower()
    places = [lower.find(word) for word in (query.lower(), *query.lower().split()) if word in lower]
    start = max((places[0] if places else 0) - chars // 2, 0)
    return (
        ("…" if start else "")
        + line[start : start + 2 * chars]
        + ("…" if start + 2 * chars < len(line) else "")
    )
