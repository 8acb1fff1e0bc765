"""`motet threads`: what is on disk. No graph and no model is imported here.

What does not live here: going on with a thread (`ask`, `chat`), what changes it (`threads`), and runs (`runs`).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.lists import ID_CHARS, AsJson, Limit, confirm, dump, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.runs.glance import ThreadFacts
    from motet.runs.request import MessageRecord, ThreadRecord
    from motet.runs.threads.values import Turn

ThreadName = Annotated[str, typer.Argument(help="Id, first characters of it, or title.", metavar="THREAD")]

Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; several: with all.")
]

ROLES = {"user": "you", "assistant": "motet"}
"""What a transcript calls who speaks."""


def list_threads(limit: Limit = 20, tags: Tags = None, as_json: AsJson = False) -> None:
    """List conversations, the one used last first."""
    from motet.runs.glance import newest_threads
    from motet.settings import Settings

    glance = newest_threads(Settings.load().storage, limit=limit) if not tags else None
    found = (
        with_app(lambda app: app.records.threads(limit=limit, tags=tags or ())) if glance is None else glance
    )
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


def thread_rows(found: Sequence[ThreadRecord | ThreadFacts], now: float) -> list[list[str]]:
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

        async def points(app: App) -> tuple[ThreadRecord, list[Turn]]:
            found = await app.records.thread(thread)
            return found, await app.threads.turns(found.thread_id)

        _print_turns(*with_app(points), as_json=as_json)
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


def rename_thread(thread: ThreadName, title: Annotated[str, typer.Argument(help="The new title.")]) -> None:
    """Give a conversation another title."""
    from motet.errors import InvalidInput

    async def rename(app: App) -> None:
        found = await app.records.thread(thread)
        await app.records.rename_thread(found.thread_id, title)

    if not title.strip():
        raise InvalidInput("A title needs at least one character.")
    with_app(rename)


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


def _print_turns(record: ThreadRecord, turns: Sequence[Turn], *, as_json: bool) -> None:
    """Print the points of a conversation that can be gone back to."""
    if as_json:
        print_json(
            {
                "thread": record.model_dump(mode="json"),
                "turns": [turn.model_dump(mode="json") for turn in turns],
            }
        )
        return
    from motet.cli.render.wording import ago, clip

    rows = [
        [
            "–" if turn.number is None else str(turn.number),
            clip(turn.said, 60),
            ago(turn.at, time.time()),
            turn.checkpoint_id or "deleted",
            "now" if turn.is_head else "rewound" if turn.number is None else "",
        ]
        for turn in turns
    ]
    print_table(["turn", "what was said", "when", "checkpoint", ""], rows, wide=1)
    if not turns:
        note("No turns yet.")


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
