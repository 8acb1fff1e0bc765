"""An approval put into words: the exact call, what may be answered, and why it is asked.

What does not live here: how an answer is taken (`motet.cli.chat.asking`).
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from motet.tools.policy.approval import CONVERSATION, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DOES = {"read": "reads", "write": "writes", "egress": "calls out", "exec": "runs code"}
"""What each class of tool does; others say nothing of themselves."""

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Unicode categories of characters that a terminal does not show, or that move what it shows."""


def call(asked: Mapping[str, Any]) -> list[str]:
    """Return the call that is asked for, every argument whole, and where each value was found."""
    does = DOES.get(asked["class"], "")
    agent = f", for the agent '{asked['agent']}'" if asked.get("agent") else ""
    lines = [f"{asked['tool']}{f' ({does})' if does else ''}{agent}"]
    for name, value in asked["arguments"].items():
        head, *rest = exact(value)
        source = _source(asked, name)
        lines.append(f"  {name} = {head}{f'   ‹{source}›' if source else ''}")
        lines += [f"  {line}" for line in rest]
    if not asked["arguments"]:
        lines.append("  (no arguments)")
    return lines


def choices(asked: Mapping[str, Any], file: Path, *, later: str = "") -> list[str]:
    """Return what may be answered; `file` is where a rule for every conversation would be kept.

    `later` says how it is left waiting, where that can be done here.
    """
    always = asked["always"]
    lines = [
        f"yes · no [WHY] · explain · edit [NAME=VALUE …]{f' · {later}' if later else ''}",
        f"always [RULE]: in this conversation, {always.get(CONVERSATION, '')}",
    ]
    if SETTINGS in always:
        lines.append(f"settings [RULE]: always, {always[SETTINGS]} goes to permissions.allow in {file}")
    return lines


def explain(asked: Mapping[str, Any]) -> list[str]:
    """Return why it is asked, and which text each value was found in."""
    lines = [f"why: {reason}" for reason in asked["reasons"]]
    for origin in asked["origins"]:
        lines.append(f"  {origin['argument']}: {origin['origin']}")
        if origin.get("excerpt"):
            lines += [f"    “{shown(origin['excerpt'])}”"]
    return lines


def exact(value: Any) -> list[str]:
    """Return a value so that nothing of it is hidden: a text of several lines line by line, else as JSON."""
    if isinstance(value, str) and "\n" in value:
        return ["", *(f"  │ {shown(line)}" for line in value.split("\n"))]
    return [shown(json.dumps(value, ensure_ascii=False, default=str))]


def shown(text: str) -> str:
    """Return a text with every character that a terminal would not show written as its number."""
    return "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        hidden = unicodedata.category(character) in _HIDDEN
        number = ord(character)
        yield (f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}") if hidden else character


def _source(asked: Mapping[str, Any], name: str) -> str:
    """Return where an argument comes from, in a word or two; "" where the rules did not look."""
    found = [
        origin
        for origin in asked["origins"]
        if origin["argument"].partition(".")[0].partition("[")[0] == name
    ]
    return ", ".join(dict.fromkeys(origin["origin"] for origin in found))
