"""The colours that a person can choose.

What does not live here: what is painted with them (`paint`).
"""

from __future__ import annotations

from rich.style import Style
from rich.theme import Theme

THEMES: dict[str, tuple[str, dict[str, str]]] = {
    "dark": ("ansi_dark", {}),
    "light": ("ansi_light", {"markdown.code": "bold blue", "markdown.link_url": "blue", "cyan": "blue"}),
    "plain": (
        "bw",
        {"markdown.code": "bold", "markdown.h1": "bold", "markdown.h2": "bold", "markdown.item.bullet": ""},
    ),
}
"""What can be chosen: the colours of code, and styles that differ."""

CODE = "motet.code"


def theme(name: str) -> Theme:
    """Return one of `THEMES` for a console."""
    code, styles = THEMES[name]
    return Theme({**styles, CODE: Style.from_meta({"theme": code})})
