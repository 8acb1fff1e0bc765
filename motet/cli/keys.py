"""`motet keys`: who may call the server.

What does not live here: keys themselves (`motet.server.keys`).
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import AsJson, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from motet.app import App
    from motet.server.keys import KeyRecord

keys = typer.Typer(help="Keys for callers of the server.", no_args_is_help=True)


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is called.")],
    tenant: Annotated[str, typer.Option(help="Whose data it opens.")] = "local",
    owner: Annotated[
        str | None, typer.Option(help="Who it stands for in the tenant; its name unless given.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, runs:write; again for more.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="How long it counts; for good unless given.")] = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept. From the first one on the server asks for one."""

    async def work(app: App) -> str:
        ttl_s = None if days is None else days * 86400
        made = await app.keys.create(
            name, tenant_id=tenant, owner_id=owner, scopes=scope or ["*"], ttl_s=ttl_s
        )
        return made[0]

    print(with_app(work))
    note("Keep it now: it is not shown again. The server asks for a key from now on.")
    if not scope:
        note(
            f"It may do everything in the tenant '{tenant}', and sees what all of its owners began; --scope narrows it."
        )


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List keys, the newest first, without their secrets."""

    async def work(app: App) -> list[KeyRecord]:
        return await app.keys.list()

    found = with_app(work)
    if as_json:
        print_json([dataclasses.asdict(key) for key in found])
        return
    rows = [
        [key.key_id, key.name, key.tenant_id, key.owner_id, " ".join(key.scopes), _until(key)]
        for key in found
    ]
    print_table(["id", "name", "tenant", "owner", "scopes", "counts"], rows, wide=4)


def _until(key: KeyRecord) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "for good"
    return "until " + datetime.fromtimestamp(key.expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as 'motet keys list' shows it.")],
) -> None:
    """Make a key count no more, within two seconds for servers at work."""

    async def work(app: App) -> str:
        return (await app.keys.revoke(key_id)).name

    note(f"Key '{with_app(work)}' does not count any more.")


@keys.command("webhooks")
def webhooks(
    tenant: Annotated[str, typer.Option(help="Whose runs tell of their end.")] = "local",
) -> None:
    """Print the secret that a receiver of webhooks checks signatures with (Standard Webhooks)."""

    async def work(app: App) -> str:
        from motet.runs.webhooks.signature import secret_text

        return secret_text(app.webhook_keys(tenant)[0])

    print(with_app(work))
