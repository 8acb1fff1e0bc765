"""A page to try a graph with: its form comes from the graph's input schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.server.pages import html_page

if TYPE_CHECKING:
    from starlette.responses import Response


def page() -> Response:
    """Return the page; it reads from its own address which graph it is for."""
    return html_page("playground.html")
