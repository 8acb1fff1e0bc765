"""`motet tools approve`: looking at what an MCP server offers, and approving it word for word."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.session import with_app

if TYPE_CHECKING:
    from motet.tools.mcp.client import Offer


def approve(
    server: Annotated[str, typer.Argument(help="Name of a server of [mcp] in your settings file.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve without being asked.")] = False,
) -> None:
    """Show what an MCP server offers and what has changed; approve it, so that agents may use it."""
    found = with_app(lambda app: app.mcp.look(server))
    for what, offer in found:
        print(f"{what:8} {offer.kind:8} {_clean(offer.name)}")
        if what in ("new", "changed"):
            print(f"         {_clean(offer.description)}")
    offers = [offer for what, offer in found if what != "gone"]
    if all(what == "same" for what, _ in found):
        print("Nothing has changed.")
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm("Approve all of this?")):
        print("Nothing was approved. With --yes it is.")
        raise typer.Exit(1)
    with_app(lambda app: _store(app.mcp, server, offers))
    print(f"Approved: {len(offers)}.")


async def _store(shelf: object, server: str, offers: list[Offer]) -> None:
    from motet.tools.mcp.shelf import McpShelf

    assert isinstance(shelf, McpShelf)
    shelf.approve(server, offers)


def _clean(text: str) -> str:
    """Return a stranger's text without characters that a terminal would obey."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
