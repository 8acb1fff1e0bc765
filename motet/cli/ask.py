"""`motet ask`: one question, one run, its answer on stdout and everything else on stderr.

What does not live here: how events look (`view`, `render`), and what Ctrl-C is (`stops`).
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli import exit_codes
from motet.cli.session import Terminal, with_app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from motet.app import App
    from motet.cli.render.outcome import Outcome
    from motet.cli.stops import Stops
    from motet.cli.view import View
    from motet.runs.request import RunRequest


class Output(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    question: str
    thread: str | None = None
    go_on: bool = False
    graph: str | None = None
    model: str | None = None
    docs: Sequence[Path] = field(default_factory=list[Path])
    timeout_s: float | None = None
    reuse: str | None = None
    budget: str | None = None
    record: bool | None = None


Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[QUESTION]", help="The question. What is piped in goes below it."),
]
Graph = Annotated[
    str | None,
    typer.Option("--graph", "-g", metavar="NAME", help="Graph that answers; see 'motet graphs list'."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="SPEC",
        help="embedded, openai:NAME, vllm:NAME, PROVIDER:NAME@URL; several take over; deep=…; planner=…",
    ),
]
Thread = Annotated[
    str | None,
    typer.Option(
        "--thread", "-t", metavar="THREAD", help="Go on with this conversation: id, its beginning, or title."
    ),
]
GoOn = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last conversation.")]
Reuse = Annotated[
    str | None,
    typer.Option(
        "--reuse",
        metavar="RUN|original",
        help="Take this run's tool results instead of calling again; 'original' is the turn that a fork came from.",
    ),
]
ORIGINAL = "original"
BudgetText = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="LIMITS",
        help="What the run may spend: 'tokens=20000 cost=0.50 time=300 model_calls=20 tool_calls=10 then=fail'.",
    ),
]
Record = Annotated[
    bool | None,
    typer.Option("--record/--no-record", help="Record the run, to play it again: 'motet replay'."),
]
Plain = Annotated[bool, typer.Option("--plain", help="No colours, no markdown, nothing painted over.")]


def ask(
    words: Words = None,
    *,
    go_on: GoOn = False,
    thread: Thread = None,
    graph: Graph = None,
    model: Model = None,
    docs: Annotated[
        list[Path] | None,
        typer.Option("--docs", metavar="PATH", help="Take in this file or folder, and search it alone."),
    ] = None,
    output: Annotated[Output, typer.Option("--output", help="What stdout carries.")] = Output.TEXT,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write what stdout would carry into this file."),
    ] = None,
    timeout_s: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop the run after this many seconds."),
    ] = None,
    reuse: Reuse = None,
    budget: BudgetText = None,
    record: Record = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on stderr.")] = False,
    plain: Plain = False,
) -> None:
    """Ask one question, and print the answer."""
    from motet.cli.question import read_question
    from motet.cli.stops import Stops

    check_names(thread=thread, go_on=go_on, model=model, budget=budget)
    asked = Asked(
        question=read_question(" ".join(words or [])),
        thread=thread,
        go_on=go_on,
        graph=graph,
        model=model,
        docs=docs or [],
        timeout_s=timeout_s,
        reuse=reuse,
        budget=budget,
        record=record,
    )
    with ExitStack() as files:
        write = _writer(out, files, stream=output is Output.JSONL)
        view = _view(output, Terminal.detect(plain=plain), write, quiet=quiet)
        stops = Stops()
        outcome = with_app(lambda app: _run(app, asked, view, stops, quiet=quiet), stops=stops)
    end(outcome, stops)


def check_names(*, thread: str | None, go_on: bool, model: str | None, budget: str | None = None) -> None:
    """Refuse what is wrong before anything is opened.

    Raises:
        InvalidInput: Two conversations are named, or the model or the budget cannot be read.
    """
    from motet.errors import InvalidInput

    if thread is not None and go_on:
        raise InvalidInput("Give --continue or --thread, not both.")
    if model is not None:
        from motet.runs.choice import read_choice

        read_choice(model)
    if budget is not None:
        from motet.runs.budget import Budget

        Budget.parse(budget)


async def find_thread(app: App, *, thread: str | None, go_on: bool) -> str | None:
    """Return the id of the conversation to go on with, or None for a new one.

    Raises:
        NotFound: There is none to go on with.
    """
    from motet.errors import NotFound

    if thread is not None:
        return (await app.records.thread(thread)).thread_id
    if not go_on:
        return None
    last = await app.records.last_thread()
    if last is None:
        raise NotFound("There is no conversation to go on with yet: ask without --continue.")
    return last.thread_id


async def _run(app: App, asked: Asked, view: View, stops: Stops, *, quiet: bool) -> Outcome:
    """Submit the question and show its run to the end."""
    import asyncio

    thread_id = await find_thread(app, thread=asked.thread, go_on=asked.go_on)
    check_graph(app, asked.graph)
    reuse = await _run_to_reuse(app, thread_id, asked.reuse) if asked.reuse is not None else None
    starting = asyncio.create_task(app.start_worker())
    try:
        collections = await _take_documents(app, asked.docs) if asked.docs else None
        if thread_id is not None:
            await _finish_earlier(app, thread_id, starting, quiet=quiet)
        await asyncio.to_thread(_import_messages)
        accepted = await app.submit(_request(asked, thread_id, collections, reuse))
        stops.stop_with(lambda: app.cancel(accepted.run_id, reason="stopped by the user"))
        _note(f"thread {accepted.thread_id}", quiet=quiet)
        await starting
        if asked.timeout_s is not None:
            asyncio.get_running_loop().call_later(asked.timeout_s, stops.ask, exit_codes.TIMEOUT)
        return await view.follow(app, accepted.run_id)
    finally:
        starting.cancel()
        view.close()


async def _finish_earlier(app: App, thread_id: str, starting: Awaitable[object], *, quiet: bool) -> None:
    """Show the end of what a crash left on the thread, on stderr: its answer is not this question's.

    It comes before the question is submitted, so that the conversation stays in order.
    """
    from motet.cli.render.answers import WholeAnswer
    from motet.cli.render.notes import PlainNotes
    from motet.cli.say import say
    from motet.cli.view import View

    for run_id in await app.resume_thread(thread_id):
        _note(f"run {run_id} of this conversation has not ended; it goes first", quiet=quiet)
        await starting
        view = View([] if quiet else [WholeAnswer(sys.stderr.write), PlainNotes(sys.stderr)])
        try:
            outcome = await view.follow(app, run_id)
        finally:
            view.close()
        if outcome.error is not None:
            say(str(outcome.error.get("message", "")))


def end(outcome: Outcome, stops: Stops) -> None:
    """Turn a run's end into the command's: nothing when it went well.

    Raises:
        MotetError: The run's own error.
        Exit: It was stopped, or it waits for a person.
    """
    from motet.cli.render import wording
    from motet.cli.say import say
    from motet.errors import MotetError

    if outcome.status == "success":
        return
    if outcome.status == "cancelled" and stops.status is not None:
        reason = "the time was over" if stops.status == exit_codes.TIMEOUT else "stopped"
        say(f"{reason}; the conversation is kept: motet ask -t {outcome.thread_id[:8]} …")
        raise typer.Exit(stops.status)
    if outcome.status == "interrupted":
        say(f"the run waits for a person: conversation {outcome.thread_id}")
        for line in wording.how_to_answer(outcome.run_id, outcome.questions):
            say(line)
        raise typer.Exit(exit_codes.APPROVAL_NEEDED)
    raise MotetError.from_dict(
        outcome.error or {"code": "bug", "message": "The run's log ended without an end."}
    )


def check_graph(app: App, graph: str | None) -> None:
    """Refuse an unknown graph before documents are taken in.

    Raises:
        NotFound: No graph has this name; the message says which is near.
    """
    from motet.errors import NotFound, did_you_mean

    known = app.graph_names()
    if graph is not None and graph not in known:
        raise NotFound(f"Unknown graph '{graph}'.{did_you_mean(graph, known)}", graph=graph)


async def _run_to_reuse(app: App, thread_id: str | None, name: str) -> str:
    """Return the id of the run whose tool results are taken.

    Raises:
        NotFound: There is no such run.
        InvalidInput: The original is asked for, and the conversation is a new one.
        Conflict: The conversation was not forked, or nothing came after that point.
    """
    from motet.errors import InvalidInput

    if name != ORIGINAL:
        return (await app.records.run(name)).run_id
    if thread_id is None:
        raise InvalidInput(
            "A new conversation was not forked: name the run to take results of, or --thread FORK."
        )
    return await app.threads.original_run(thread_id)


def _request(
    asked: Asked, thread_id: str | None, collections: list[str] | None, reuse: str | None
) -> RunRequest:
    from motet.runs.budget import Budget
    from motet.runs.choice import read_choice
    from motet.runs.request import RunOptions, RunRequest

    return RunRequest(
        graph=asked.graph,
        thread_id=thread_id,
        input={"messages": [{"role": "user", "content": asked.question}]},
        # No retries by itself: somebody is there to ask again.
        options=RunOptions(
            **read_choice(asked.model),
            collections=collections,
            max_retries=0,
            reuse_results_of=reuse,
            budget=Budget.parse(asked.budget) if asked.budget else None,
            record=asked.record,
        ),
    )


async def _take_documents(app: App, paths: Sequence[Path]) -> list[str]:
    """Take documents into a collection that belongs to these paths; return its name.

    The same paths have the same collection: what has not changed is not read again, what is gone is taken out.

    Raises:
        DocumentUnreadable: None of them could be taken in.
    """
    from motet.cli.kb import take_in
    from motet.cli.say import say
    from motet.errors import DocumentUnreadable

    absolute = sorted({str(path.expanduser().resolve()) for path in paths})
    name = "docs-" + hashlib.sha256("\0".join(absolute).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    report = await take_in(app.knowledge, [Path(path) for path in absolute], name)
    for file in report.failed:
        say(file.error.message if file.error else str(file.path))
    for file in report.files:
        if file.missing:
            say(f"{file.path}: {file.missing}.")
    if not report.count("added", "replaced", "unchanged"):
        raise DocumentUnreadable(f"No document could be taken in from {', '.join(map(str, paths))}.")
    await app.knowledge.keep_only(report)
    return [name]


def _view(output: Output, terminal: Terminal, write: Callable[[str], object] | None, *, quiet: bool) -> View:
    from motet.cli.render.machine import JsonLines, JsonObject
    from motet.cli.view import machine_view, text_view

    if output is Output.TEXT:
        return text_view(terminal, write, quiet=quiet)
    machine = JsonLines if output is Output.JSONL else JsonObject
    return machine_view(terminal, machine(write or _print), quiet=quiet)


def _writer(out: Path | None, files: ExitStack, *, stream: bool) -> Callable[[str], object] | None:
    """Return what writes into the file that `-o` names, or None without one.

    Only a stream of events touches the file before there is something to write.

    Raises:
        InvalidInput: It cannot be written; said before the run is paid for.
    """
    from motet.errors import InvalidInput

    if out is None:
        return None
    target = out if out.exists() else out.absolute().parent
    if out.is_dir() or not target.exists() or not os.access(target, os.W_OK):
        raise InvalidInput(
            f"{out} cannot be written: it is a folder, or there is no such folder, or it is read-only."
        )
    if stream:
        return files.enter_context(out.open("w", encoding="utf-8", buffering=1)).write
    return lambda text: out.write_text(text, "utf-8")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _note(text: str, *, quiet: bool) -> None:
    if not quiet:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _import_messages() -> None:
    # The gate needs it; imported on a thread, the spinner goes on turning.
    import_module("langchain_core.messages")
