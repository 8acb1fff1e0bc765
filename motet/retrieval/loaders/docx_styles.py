"""Which paragraph styles of a Word file are headings, whatever their names are.

What does not live here: reading paragraphs (`docx`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLES = "word/styles.xml"

MAX_LEVEL = 6

MAX_BASED = 20
"""Styles that are based on each other."""


def heading_levels(root: Any) -> dict[str, int]:
    """Return the level of each style that is a heading, 1 to 6, by its id; a deeper one counts as the sixth.

    A style is one when it, or a style that it is based on, has an outline level: that is what Word's own list of
    headings goes by. Levels count from 0 in the file, and 9 is plain text. Source: ECMA-376-1, 17.3.1.20.

    Args:
        root: The root element of the styles.
    """
    w = root.tag[: root.tag.rfind("}") + 1]  # two namespaces are in use
    based: dict[str, str] = {}
    outline: dict[str, str] = {}
    for style in root.iter(f"{w}style"):
        if style.get(f"{w}type") != "paragraph":
            continue
        name = style.get(f"{w}styleId", "")
        based[name] = _value(style.find(f"{w}basedOn"), w)
        outline[name] = _value(style.find(f"{w}pPr/{w}outlineLvl"), w)
    found = {name: _outline(name, based, outline) for name in based}
    return {
        name: min(int(level) + 1, MAX_LEVEL) for name, level in found.items() if level in set("012345678")
    }


def _outline(name: str, based: Mapping[str, str], outline: Mapping[str, str]) -> str:
    """Return a style's outline level as it is written; "" where neither it nor what it is based on has one."""
    for _ in range(MAX_BASED):
        if outline.get(name):
            return outline[name]
        name = based.get(name, "")
    return ""


def _value(element: Any, w: str) -> str:
    return "" if element is None else element.get(f"{w}val", "")
