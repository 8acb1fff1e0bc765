"""`motet runs schedule`: runs that begin by the clock.

What does not live here: beginning them, which workers do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.ask import Graph, Model, Thread, check_names
from motet.cli.lists import ID_CHARS, AsJson, dump, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from motet.app import App
    from motet.runs.request import ScheduleRecord

schedule = typer.Typer(
    help="Runs that begin by the clock: add, list, pause, resume, delete.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of the schedule.", metavar="NAME")]


class Missed(StrEnum):
    """What becomes of ticks that no worker was there for."""

    SKIP = "skip"
    ONE = "one"
    ALL = "all"


@schedule.command("add")
def add_schedule(
    cron: Annotated[
        str,
        typer.Argument(help="Minute, hour, day of month, month, day of week: '0 9 * * 1-5'.", metavar="CRON"),
    ],
    words: Annotated[list[str], typer.Argument(help="What is asked each time.", metavar="QUESTION")],
    *,
    zone: Annotated[
        str, typer.Option("--zone", "-z", metavar="ZONE", help="Time zone, like Asia/Shanghai.")
    ] = "UTC",
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="What it is called.")] = None,
    missed: Annotated[
        Missed, typer.Option("--missed", help="Ticks without a worker: none, one run for all, or a run each.")
    ] = Missed.ONE,
    thread: Thread = None,
    graph: Graph = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Ask a question by the clock, from the next tick on, while a worker runs."""
    from motet.errors import InvalidInput
    from motet.runs.choice import read_choice
    from motet.runs.request import RunOptions, RunRequest

    question = " ".join(words).strip()
    if not question:
        raise InvalidInput("There is no question. Write it after the cron expression.")
    check_names(thread=thread, go_on=False, model=model)

    async def work(app: App) -> ScheduleRecord:
        request = RunRequest(
            graph=graph,
            thread_id=(await app.records.thread(thread)).thread_id if thread else None,
            input={"messages": [{"role": "user", "content": question}]},
            options=RunOptions(**read_choice(model)),
        )
        return await app.schedules.add(cron, request, zone=zone, missed=missed.value, name=name)

    made = with_app(work)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    print(made.name)
    note(f"Scheduled: {_next(made)}, and on.")


@schedule.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List schedules: when the next run begins, the last one, and why one began none."""
    found = with_app(lambda app: app.schedules.list())
    if as_json:
        print_json(dump(found))
        return
    print_table(["name", "cron", "next", "last run", "asks"], [_row(made) for made in found], wide=4)
    for made in found:
        if made.error:
            note(f"{made.name}: {made.error}")
    if not found:
        note("No schedules yet. 'motet runs schedule add' makes one.")


@schedule.command("pause")
def pause_schedule(name: Name) -> None:
    """Begin no more runs until it is resumed."""
    made = with_app(lambda app: app.schedules.pause(name))
    note(f"Paused {made.name}.")


@schedule.command("resume")
def resume_schedule(name: Name) -> None:
    """Go on from the next tick; those of the pause are not made up for."""
    made = with_app(lambda app: app.schedules.resume(name))
    note(f"Resumed {made.name}: {_next(made)}, and on.")


@schedule.command("rm")
def delete_schedule(name: Name) -> None:
    """Delete a schedule; its runs stay."""
    with_app(lambda app: app.schedules.delete(name))
    note(f"Deleted {name}.")


def _next(made: ScheduleRecord) -> str:
    from motet.runs.cron import local_time

    return local_time(made.next_at, made.zone)


def _row(made: ScheduleRecord) -> list[str]:
    messages = ((made.request and made.request.input) or {}).get("messages", [])
    asks = " ".join(str(message.get("content", "")) for message in messages)
    return [
        made.name,
        made.cron,
        "paused" if made.paused else _next(made),
        (made.last_run_id or "")[:ID_CHARS],
        asks,
    ]
