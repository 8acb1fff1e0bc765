"""`motet storage`: what takes the space, giving free space back, encryption.

What does not live here: how that is measured and done (`motet.storage`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import ID_CHARS, AsJson, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from motet.settings import Settings, StorageSettings
    from motet.storage.engine import Database
    from motet.storage.space import Kind, Space, ThreadSize

storage = typer.Typer(help="What takes the space, and encryption.", no_args_is_help=False)


@storage.callback(invoke_without_command=True)
def show_space(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Show so many of the largest conversations.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Say what takes the space, and which command frees how much of it. Reads the whole database."""
    if context.invoked_subcommand is not None:
        return
    from motet.runs.request import LOCAL_TENANT
    from motet.runs.threads.upkeep import DAY_S, expired
    from motet.settings import Settings
    from motet.storage.space import measure, thread_sizes

    settings = Settings.load()
    with _opened(settings) as database:
        space = measure(database)
        sizes = database.read_sync(lambda c: thread_sizes(c, LOCAL_TENANT))
        ttl_s = settings.runs.thread_ttl_days * DAY_S
        over = set(database.read_sync(lambda c: expired(c, LOCAL_TENANT, ttl_s, len(sizes) + 1)))
    kinds = sorted([*space.kinds, *_beside(settings)], key=lambda kind: -kind.size_bytes)
    freed = _freed(space, sizes, over)
    if as_json:
        print_json(
            {
                "database": _shown_url(settings),
                "by_pages": space.by_pages,
                "kinds": [kind._asdict() | {"share": _share(kind, space)} for kind in kinds],
                "threads": [one._asdict() for one in sizes[:limit]],
                "freed_by": [{"command": line[0], "size_bytes": line[1], "why": line[2]} for line in freed],
            }
        )
        return
    _print_space(settings, space, kinds, sizes[:limit], freed)


def _print_space(
    settings: Settings,
    space: Space,
    kinds: list[Kind],
    sizes: list[ThreadSize],
    freed: list[tuple[str, int, str]],
) -> None:
    from motet.cli.render.wording import size

    rows = [_row(kind, _share(kind, space)) for kind in kinds]
    print_table(["what", "count", "size", "share"], rows, wide=0)
    if sizes:
        print()
        named = [[one.thread_id[:ID_CHARS], one.title, size(one.size_bytes)] for one in sizes]
        print_table(["conversation", "title", "values"], named, wide=1)
    if freed:
        print()
        lines = [[command, size(size_bytes), why] for command, size_bytes, why in freed]
        print_table(["command", "frees about", "what"], lines, wide=2)
    whole = sum(kind.size_bytes for kind in space.kinds)
    note(f"{size(whole)} in {_shown_url(settings)}. Model weights: {settings.storage.cache / 'models'}.")
    if not space.by_pages:
        note(
            "This SQLite was built without dbstat: the sizes are those of values; tables and indexes take more."
        )


def _beside(settings: Settings) -> list[Kind]:
    """Return what is not in the database: logs, and the weights that all projects share."""
    from motet.storage.space import Kind, folder_bytes

    folders = {"logs": settings.storage.home / "logs", "model weights": settings.storage.cache / "models"}
    return [Kind(name, *folder_bytes(folder)) for name, folder in folders.items()]


def _freed(space: Space, sizes: list[ThreadSize], over: set[str]) -> list[tuple[str, int, str]]:
    """Return the commands that free something: what each frees about, and what that is."""
    expired = [one.size_bytes for one in sizes if one.thread_id in over]
    old = sum(one.old_checkpoints_bytes for one in sizes)
    lines = [
        ("motet threads prune", sum(expired), f"{len(expired)} conversations whose time is over"),
        ("motet threads compact --all", old, "checkpoints before the newest: no forks and rewinds to them"),
        ("motet storage compact", space.free_bytes, "free pages and the log; what the others freed, too"),
    ]
    return [line for line in lines if line[1]]


def _row(kind: Kind, share: float | None) -> list[str]:
    from motet.cli.render.wording import size

    rows = "" if kind.rows is None else str(kind.rows)
    return [kind.name, rows, size(kind.size_bytes), "" if share is None else f"{share:.1%}"]


def _share(kind: Kind, space: Space) -> float | None:
    """Return which share of the database a kind takes; None for what is beside it."""
    whole = sum(one.size_bytes for one in space.kinds)
    return round(kind.size_bytes / max(whole, 1), 4) if kind in space.kinds else None


@storage.command("compact")
def compact_storage(as_json: AsJson = False) -> None:
    """Write the database anew without what is free in it. Others cannot write meanwhile."""
    from motet.cli.render.wording import size
    from motet.settings import Settings
    from motet.storage.compact import compact

    settings = Settings.load()
    with _opened(settings) as database:
        done = compact(database, timeout_s=settings.storage.busy_timeout_s)
    if as_json:
        print_json(done._asdict())
    else:
        note(f"{_shown_url(settings)}: {size(done.before_bytes)} before, {size(done.after_bytes)} now.")
    if done.waits_for_reader:
        note("Another process reads what was there before: do it again when that has ended.")


@contextmanager
def _opened(settings: Settings) -> Generator[Database]:
    from motet.storage.engine import Database
    from motet.storage.schema import prepare

    database = Database(settings.storage)
    try:
        prepare(database, settings.storage)
        yield database
    finally:
        database.close()


def _shown_url(settings: Settings) -> str:
    from motet.secret import hide_password

    return hide_password(settings.storage.database_url)


@storage.command("encrypt")
def encrypt() -> None:
    """Encrypt what is stored, once, with MOTET_ENCRYPTION_KEY. Stop every other motet first, and keep a backup."""
    from motet.storage.reseal import encrypt_storage

    _write_anew(encrypt_storage)


@storage.command("rekey")
def rekey() -> None:
    """Encrypt what is stored with the newest key. Set MOTET_ENCRYPTION_KEY to the old key, a comma, and the new one."""
    from motet.storage.reseal import rekey_storage

    _write_anew(rekey_storage)


def _write_anew(work: Callable[[StorageSettings], int]) -> None:
    from motet.settings import Settings

    count = work(Settings.load().storage)
    note(
        f"Encrypted: {count} values. Transcripts, documents and what is searched stay readable (docs/safety.md)."
    )
