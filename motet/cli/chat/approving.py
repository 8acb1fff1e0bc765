"""What a person writes to answer an approval.

What does not live here: how it is shown (`motet.cli.render.approval`), and what an answer does (`motet.tools.policy`).
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, did_you_mean
from motet.tools.policy.approval import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS = ("yes", "no", "always", "settings", "edit", "explain")
"""What an answer begins with, or the first letters of it."""

IN_OTHER_WORDS = {
    "是": "yes",
    "好": "yes",
    "可以": "yes",
    "否": "no",
    "不": "no",
    "不行": "no",
    "总是": "always",
}

EXPLAIN = "explain"


def read(text: str, asked: Mapping[str, Any]) -> Any:
    """Return the answer that a text is, or `EXPLAIN`.

    Raises:
        InvalidInput: It is none.
    """
    word, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    match _word(word):
        case "yes":
            return "yes"
        case "no":
            return {"no": rest} if rest else "no"
        case "always":
            return {"always": _rule(rest, asked)} if rest else "always"
        case "settings":
            return {"always": _rule(rest, asked) if rest else "*", "where": SETTINGS}
        case "edit":
            return {"arguments": _arguments(rest, asked)}
        case _:
            return EXPLAIN


def draft(text: str, asked: Mapping[str, Any]) -> str | None:
    """Return what stands at the prompt after a bare `edit`, to be changed and sent; None for anything else."""
    word, _, rest = text.strip().partition(" ")
    try:
        wanted = _word(word) == "edit" and not rest.strip()
    except InvalidInput:
        return None
    return f"edit {json.dumps(asked['arguments'], ensure_ascii=False, indent=2)}" if wanted else None


def _word(typed: str) -> str:
    """Return the word that is meant.

    Raises:
        InvalidInput: None, or more than one, begins so.
    """
    typed = typed.casefold()
    if typed in IN_OTHER_WORDS:
        return IN_OTHER_WORDS[typed]
    found = [word for word in WORDS if word.startswith(typed)]
    if len(found) != 1:
        raise InvalidInput(
            f"'{typed}' is none of the answers.{did_you_mean(typed, WORDS)} The call was not made; it still waits."
        )
    return found[0]


def _rule(text: str, asked: Mapping[str, Any]) -> str:
    """Return a rule in full: `path=notes/*` is about the tool that is asked about."""
    name = text.partition("=")[0]
    is_short = "=" in text and ":" not in name and name.strip() in asked["arguments"]
    return f"{asked['tool']}:{text}" if is_short else text


def _arguments(text: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as they are to be: all of them as JSON, or some as `name=value`."""
    if text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise InvalidInput(f"The arguments are no JSON: {error}. The call still waits.") from None
    try:
        pairs = [part.partition("=") for part in shlex.split(text)]
    except ValueError as error:
        raise InvalidInput(f"'{text}' cannot be read: {error}.") from None
    changed = dict(asked["arguments"])
    for name, equals, value in pairs:
        if not equals:
            raise InvalidInput(
                f"'{name}' has no '='. Write edit NAME=VALUE, or edit and all of them as JSON."
            )
        changed[name] = _value(value, is_text=isinstance(changed.get(name), str))
    if not pairs:
        raise InvalidInput("Write the arguments on the same line: edit NAME=VALUE, or edit and JSON.")
    return changed


def _value(text: str, *, is_text: bool) -> Any:
    if is_text:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
