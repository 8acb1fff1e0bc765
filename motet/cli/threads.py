"""`motet threads`: fork, rewind, copy, compare, tag, pin, compact.

What does not live here: listing, showing, searching, renaming, deleting (`records`), and files (`thread_files`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import ID_CHARS, AsJson, confirm, note, print_json, print_table
from motet.cli.records import ROLES, ThreadName
from motet.cli.session import with_app

if TYPE_CHECKING:
    from motet.app import App
    from motet.runs.request import MessageRecord, ThreadRecord
    from motet.runs.threads.values import Compacted, Rewound, ThreadDiff

Title = Annotated[str | None, typer.Option("--title", help="Title of the new conversation.")]

Point = Annotated[
    str, typer.Argument(help="THREAD, or THREAD@TURN, or THREAD@CHECKPOINT.", metavar="THREAD[@POINT]")
]

SPAN_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
"""Seconds of each unit of a time span."""


def fork_thread(
    thread: ThreadName,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TURN|CHECKPOINT", help="Where; its newest point unless given."),
    ] = None,
    title: Title = None,
    as_json: AsJson = False,
) -> None:
    """Begin a new conversation that holds what this one held at a point. This one stays as it is."""

    async def fork(app: App) -> ThreadRecord:
        return await app.threads.fork((await app.records.thread(thread)).thread_id, at=at, title=title)

    _tell_new(with_app(fork), "Forked", as_json=as_json)


def copy_thread(thread: ThreadName, title: Title = None, as_json: AsJson = False) -> None:
    """Copy a conversation with its state."""

    async def copy(app: App) -> ThreadRecord:
        return await app.threads.copy((await app.records.thread(thread)).thread_id, title=title)

    _tell_new(with_app(copy), "Copied", as_json=as_json)


def rewind_thread(
    thread: ThreadName,
    to: Annotated[
        str, typer.Option("--to", metavar="TURN|CHECKPOINT", help="The turn that is to be the last one.")
    ],
    as_json: AsJson = False,
) -> None:
    """Go back to an earlier turn. What came after it is kept, and can be forked."""

    async def rewind(app: App) -> Rewound:
        return await app.threads.rewind((await app.records.thread(thread)).thread_id, to)

    done = with_app(rewind)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    name = done.thread.thread_id[:ID_CHARS]
    if not done.messages:
        note(f"“{done.thread.title}” is at turn {done.turn} already.")
        return
    note(
        f"“{done.thread.title}” goes on after turn {done.turn} now; {done.messages} messages were taken out."
    )
    note(
        f"To have them back in a conversation of their own: motet threads fork {name} --at {done.left_checkpoint_id}"
    )


def diff_threads(left: Point, right: Point, as_json: AsJson = False) -> None:
    """Show what differs between two conversations, or two points of one."""

    async def compare(app: App) -> ThreadDiff:
        sides = [await _point(app, name) for name in (left, right)]
        return await app.threads.diff(sides[0], sides[1])

    diff = with_app(compare)
    if as_json:
        print_json(diff.model_dump(mode="json"))
        return
    print(f"--- {left}\n+++ {right}")
    print(f"  {diff.same} messages are the same at the beginning")
    for line in diff.lines:
        _print_line("-" if line.side == "left" else "+", line.message)
    for key in diff.state:
        from motet.cli.render.machine import to_json

        print(f"state {key.key}")
        print(f"- {to_json(key.left)}\n+ {to_json(key.right)}")
    if not diff.lines and not diff.state:
        note("Nothing differs.")


def tag_thread(
    thread: ThreadName,
    changes: Annotated[
        list[str], typer.Argument(help="+TAG gives it a tag, -TAG takes one away.", metavar="+TAG|-TAG...")
    ],
    as_json: AsJson = False,
) -> None:
    """Tag a conversation: motet threads tag THREAD +work -draft."""
    from motet.errors import InvalidInput

    for change in changes:
        if change[:1] not in ("+", "-"):
            raise InvalidInput(f"'{change}' says neither to add nor to remove: write +{change} or -{change}.")
    add = [change[1:] for change in changes if change[0] == "+"]
    remove = [change[1:] for change in changes if change[0] == "-"]

    async def tag(app: App) -> ThreadRecord:
        return await app.threads.tag((await app.records.thread(thread)).thread_id, add=add, remove=remove)

    record = with_app(tag)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        note(
            f"“{record.title}” is tagged {', '.join(record.tags)}."
            if record.tags
            else f"“{record.title}” has no tags."
        )


def pin_turn(
    thread: ThreadName,
    turn: Annotated[
        str | None, typer.Argument(help="Number of a turn; the last one unless given.", metavar="[TURN]")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Take the pin off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have models keep in mind what was said in a turn, however long the conversation gets."""

    async def pin(app: App) -> list[str]:
        return await app.threads.pin((await app.records.thread(thread)).thread_id, turn, on=not off)

    pinned = with_app(pin)
    if as_json:
        print_json(pinned)
        return
    for text in pinned:
        print(f"- {text}")
    if not pinned:
        note("Nothing is pinned.")


def set_ttl(
    thread: ThreadName,
    span: Annotated[str, typer.Argument(help="30d, 12h, never, or default.", metavar="TIME")],
    as_json: AsJson = False,
) -> None:
    """Say how long after its last use a conversation is deleted."""
    ttl_s = parse_span(span)

    async def change(app: App) -> ThreadRecord:
        return await app.threads.set_ttl((await app.records.thread(thread)).thread_id, ttl_s)

    record = with_app(change)
    if as_json:
        print_json(record.model_dump(mode="json"))
    elif ttl_s is None:
        note(f"“{record.title}” is kept as MOTET_THREAD_TTL_DAYS says.")
    else:
        note(f"“{record.title}” is kept {f'{span} after its last use' if ttl_s else 'for ever'}.")


def parse_span(text: str) -> float | None:
    """Return the seconds of `30d`, `12h`, `90min`, `45s` or `2w`; 0 for `never`, None for `default`.

    Raises:
        InvalidInput: It is something else.
    """
    from motet.errors import InvalidInput

    if text == "default":
        return None
    if text == "never":
        return 0.0
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(s|min|h|d|w)", text)
    if match is None or float(match[1]) == 0:
        raise InvalidInput(f"'{text}' is no time: write it like 30d, 12h or 90min, or 'never', or 'default'.")
    return float(match[1]) * SPAN_S[match[2]]


def prune_threads(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the conversations whose time is over, with their runs. Workers do it too, now and then."""

    async def prune(app: App) -> tuple[list[str], int]:
        ttl_s = app.settings.runs.thread_ttl_days * SPAN_S["d"]
        found = await app.threads.expired(ttl_s, limit=10_000)
        return found, 0 if dry_run else await app.threads.delete_expired(ttl_s)

    found, deleted = with_app(prune)
    if as_json:
        print_json({"expired": found, "deleted": deleted})
    elif dry_run:
        print_table(["id"], [[thread_id] for thread_id in found], wide=0)
        note(f"{len(found)} conversations would be deleted.")
    else:
        note(f"Deleted {deleted} conversations whose time was over.")


def compact_threads(
    names: Annotated[list[str] | None, typer.Argument(help="Which.", metavar="[THREAD]...")] = None,
    every: Annotated[bool, typer.Option("--all", help="All conversations.")] = False,
    keep: Annotated[
        int, typer.Option("--keep", min=1, metavar="TURNS", help="How many turns stay forkable.")
    ] = 1,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete old checkpoints. Transcripts stay; only the newest turns can still be forked or rewound to."""
    from motet.errors import InvalidInput

    if bool(names) == every:
        raise InvalidInput("Name the conversations to compact, or say --all.")

    async def compact(app: App) -> Compacted:
        if names:
            ids = [(await app.records.thread(name)).thread_id for name in names]
        else:
            ids = [record.thread_id for record in await app.records.threads(limit=1_000_000)]
        return await app.threads.compact(ids, keep_turns=keep)

    what = "all conversations" if every else ", ".join(names or [])
    confirm(f"Delete the older checkpoints of {what}? They cannot be brought back.", yes=yes)
    done = with_app(compact)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    note(f"Deleted {done.checkpoints} checkpoints of {done.threads} conversations.")


async def _point(app: App, name: str) -> tuple[str, str | None]:
    """Find what THREAD or THREAD@POINT names; a whole title with an @ in it is a title."""
    from motet.errors import NotFound
    from motet.runs.threads.service import split_point

    try:
        return (await app.records.thread(name)).thread_id, None
    except NotFound:
        thread, point = split_point(name)
        if point is None:
            raise
        return (await app.records.thread(thread)).thread_id, point


def _tell_new(record: ThreadRecord, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    print(record.thread_id)
    note(f"{what}: “{record.title}”. Go on with: motet ask -t {record.thread_id[:ID_CHARS]} …")


def _print_line(sign: str, message: MessageRecord) -> None:
    who = ROLES.get(message.role, message.role)
    first, *others = message.text.splitlines() or [""]
    print(f"{sign} {who}: {first}")
    for line in others:
        print(f"{sign}   {line}")
