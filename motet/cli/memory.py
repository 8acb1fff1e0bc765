"""`motet memory`: what agents remember beyond a conversation.

What does not live here: how it is remembered (`motet.memory`).
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import ID_CHARS, AsJson, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.memory.recall import Memory

memory = typer.Typer(help="What agents remember beyond a conversation.", no_args_is_help=True)


@memory.command("list")
def list_memories(as_json: AsJson = False) -> None:
    """List what is remembered, the newest first."""
    found = with_app(lambda app: app.memories.all())
    if as_json:
        print_json([dataclasses.asdict(fact) for fact in found])
        return
    from motet.cli.render.wording import ago

    rows = [[fact.memory_id[:ID_CHARS], fact.text, ago(fact.created_at, time.time())] for fact in found]
    print_table(["id", "what", "since"], rows, wide=1)
    if not found:
        note("Nothing is remembered yet.")


@memory.command("forget")
def forget(
    names: Annotated[list[str], typer.Argument(help="Ids, or their first characters.", metavar="ID...")],
) -> None:
    """Forget facts."""

    async def work(app: App) -> list[Memory]:
        known = await app.memories.all()
        chosen = [_chosen(known, name) for name in names]
        for fact in chosen:
            await app.memories.forget(fact.memory_id)
        return chosen

    for fact in with_app(work):
        note(f"Forgotten: {fact.text}")


def _chosen(known: Sequence[Memory], name: str) -> Memory:
    """Return the fact that an id or its beginning means.

    Raises:
        NotFound: None has it, or several begin with it.
    """
    from motet.errors import NotFound

    found = [fact for fact in known if name and fact.memory_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = "More than one memory begins with" if found else "There is no memory"
    raise NotFound(f"{what} '{name}'. 'motet memory list' shows them.")
