"""`motet memory`: what agents remember beyond a conversation; look, ask why, correct, forget.

What does not live here: how it is remembered (`motet.memory`).
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.lists import ID_CHARS, AsJson, Limit, confirm, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.memory.recall import Memory
    from motet.runs.request import MessageRecord, ThreadRecord

memory = typer.Typer(help="What agents remember beyond a conversation.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Id, or the first characters of it.", metavar="ID")]

AUTHORS = {"user": "you", "agent": "an agent", "document": "a document", "tool": "a tool"}
"""What a list calls who said it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A version of a fact, and the turn that it came from as far as that is still there."""

    memory: Memory
    thread: ThreadRecord | None
    message: MessageRecord | None


@memory.command("list")
def list_memories(as_json: AsJson = False) -> None:
    """List what is remembered, the newest first."""
    found = with_app(lambda app: app.memories.all())
    if as_json:
        print_json([_plain(fact) for fact in found])
        return
    from motet.cli.render.wording import ago

    now = time.time()
    rows = [
        [
            fact.memory_id[:ID_CHARS],
            fact.text,
            fact.kind,
            _author(fact),
            ago(fact.updated_at, now),
            str(fact.uses),
        ]
        for fact in found
    ]
    print_table(["id", "what", "kind", "said by", "since", "used"], rows, wide=1)
    if not found:
        note("Nothing is remembered yet.")


@memory.command("search")
def search_memories(
    words: Annotated[list[str], typer.Argument(help="Words, in English or Chinese.", metavar="QUERY")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Search what is remembered, as agents do: by meaning and words, how recent and how important it is."""
    found = with_app(lambda app: app.memories.search(" ".join(words), limit=limit))
    if as_json:
        print_json([{**_plain(fact), "score": score} for fact, score in found])
        return
    rows = [[fact.memory_id[:ID_CHARS], f"{score:.2f}", fact.text, _author(fact)] for fact, score in found]
    print_table(["id", "score", "what", "said by"], rows, wide=2)
    if not found:
        note("Nothing is remembered yet.")


@memory.command("add")
def add_memory(text: Annotated[str, typer.Argument(help="One short sentence about you.")]) -> None:
    """Have something remembered."""
    from motet.errors import InvalidInput

    if not text.strip():
        raise InvalidInput("A memory needs at least one character.")
    written = with_app(lambda app: app.memories.write(text))
    if written is None:
        note("That is remembered already.")
        return
    note(f"Remembered: {written.memory.text} ({written.memory.memory_id[:ID_CHARS]})")


@memory.command("correct")
def correct_memory(name: Name, text: Annotated[str, typer.Argument(help="What is true instead.")]) -> None:
    """Put something else in a memory's place. The old words are kept as its history; 'forget' deletes both."""
    from motet.errors import InvalidInput

    if not text.strip():
        raise InvalidInput("A correction needs at least one character. To delete it: motet memory forget ID.")

    async def work(app: App) -> tuple[Memory, bool]:
        fact = _chosen(await app.memories.all(), name)
        return fact, await app.memories.correct(fact.memory_id, text) is not None

    old, changed = with_app(work)
    note(
        f"Corrected: {' '.join(text.split())} (was: {old.text})"
        if changed
        else "That is what it says already."
    )


@memory.command("why")
def why(name: Name, as_json: AsJson = False) -> None:
    """Show which turn a memory came from, and what it said before."""
    found = with_app(lambda app: _origins(app, name))
    if as_json:
        print_json([_plain_origin(origin) for origin in found])
        return
    for origin in found:
        print("\n".join(_told(origin, first=origin is found[0])))


@memory.command("forget")
def forget(
    names: Annotated[
        list[str] | None, typer.Argument(help="Ids, or their first characters.", metavar="ID...")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is remembered.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, with --all.")] = False,
) -> None:
    """Forget memories for good, with their history. The conversations stay: 'motet threads rm' deletes those."""
    from motet.errors import InvalidInput

    if everything == bool(names):
        raise InvalidInput("Name memories or say --all. 'motet memory list' shows them.")

    async def choose(app: App) -> list[Memory]:
        known = await app.memories.all()
        return known if everything else [_chosen(known, name) for name in names or ()]

    chosen = list({fact.memory_id: fact for fact in with_app(choose)}.values())
    if everything and chosen:
        confirm(f"Forget all {len(chosen)} memories? They cannot be brought back.", yes=yes)
    with_app(lambda app: app.forget([fact.memory_id for fact in chosen]))
    for fact in chosen:
        note(f"Forgotten: {fact.text}")
    if not chosen:
        note("Nothing is remembered yet.")


async def _origins(app: App, name: str) -> list[Origin]:
    """Return every version of a fact with its turn, the newest first."""
    fact = _chosen(await app.memories.all(), name)
    return [await _origin(app, version) for version in await app.memories.history(fact.memory_id)]


async def _origin(app: App, fact: Memory) -> Origin:
    from motet.errors import NotFound

    source = fact.source
    if not source.thread_id:
        return Origin(fact, None, None)
    try:
        thread = await app.records.thread(source.thread_id)
    except NotFound:
        return Origin(fact, None, None)
    return Origin(fact, thread, await app.records.message(source.thread_id, source.message_id))


def _told(origin: Origin, *, first: bool) -> list[str]:
    """Return the lines that say where a version of a fact comes from."""
    fact, source = origin.memory, origin.memory.source
    lines = [fact.text if first else f"before: {fact.text}"]
    lines.append(f"  said by   {_author(fact)}, {_when(fact.updated_at)}{_trust(fact)}")
    if first:
        uses = (
            f"recalled {fact.uses} times, last {_when(fact.used_at)}" if fact.uses else "never recalled yet"
        )
        lines.append(f"  kind      {fact.kind}, importance {fact.importance:.1f}, {uses}")
    if origin.message is not None:
        lines.append(f"  turn      {' '.join(origin.message.text.split())}")
    if origin.thread is not None:
        lines.append(f"  thread    {origin.thread.title} ({source.thread_id})")
        if source.run_id:
            lines.append(f"  run       {source.run_id}")
        lines.append(f"  open it   motet threads show {source.thread_id[:ID_CHARS]}")
    elif source.thread_id:
        lines.append(f"  thread    {source.thread_id}, which was deleted")
    elif fact.author == "user":
        lines.append("  turn      none: you wrote it with 'motet memory'")
    return lines


def _author(fact: Memory) -> str:
    return fact.source.origin or AUTHORS[fact.author]


def _trust(fact: Memory) -> str:
    return "; not trusted" if fact.trust == "untrusted" else ""


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _plain(fact: Memory) -> dict[str, Any]:
    return {**dataclasses.asdict(fact), "trust": fact.trust}


def _plain_origin(origin: Origin) -> dict[str, Any]:
    return {
        "memory": _plain(origin.memory),
        "thread": origin.thread.model_dump(mode="json") if origin.thread else None,
        "message": origin.message.model_dump(mode="json") if origin.message else None,
    }


def _chosen(known: Sequence[Memory], name: str) -> Memory:
    """Return the fact that an id or its beginning means.

    Raises:
        NotFound: None has it, or several begin with it; the nearest id is named with its text.
    """
    import difflib

    from motet.errors import NotFound

    found = [fact for fact in known if name and fact.memory_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"More than one memory begins with '{name}': write more of its id.")
    begins = {fact.memory_id[: len(name)]: fact for fact in known}
    near = difflib.get_close_matches(name, begins, n=1, cutoff=0.6) if name else []
    guess = f" Did you mean {begins[near[0]].memory_id[:ID_CHARS]}, “{begins[near[0]].text}”?" if near else ""
    raise NotFound(f"There is no memory '{name}'.{guess} 'motet memory list' shows them.")
