"""What a person is asked about a call before it is made, and what the answer means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.tools.policy.origins import Origin

APPROVAL_SCHEMA: dict[str, Any] = {
    "title": "Approval",
    "anyOf": [
        {"enum": ["yes", "no", "always"]},
        {
            "type": "object",
            "properties": {"arguments": {"type": "object"}},
            "required": ["arguments"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"no": {"type": "string"}},
            "required": ["no"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"always": {"type": "string"}},
            "required": ["always"],
            "additionalProperties": False,
        },
    ],
}
"""JSON Schema of an answer.

`"yes"`, `"no"`, `{"no": "why"}`, `{"arguments": {…}}` for other arguments, `"always"` for this tool in this thread
(where strangers' words were read: for these very arguments), or `{"always": "tool:argument=pattern"}`.
"""

KIND = "approval"
"""`value["kind"]` of an interrupt that asks for an approval."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided."""

    approved: bool
    arguments: dict[str, Any] | None = None
    """Other arguments, in place of the call's."""
    reason: str = ""
    always: str = ""
    """A rule that permits such calls from now on in this thread; `"*"` where the person said no more than always."""


def question(
    tool: str,
    access: str,
    arguments: Mapping[str, Any],
    *,
    reasons: Sequence[str],
    origins: Sequence[Origin],
    agent: str,
) -> dict[str, Any]:
    """Return what the person is asked, as plain JSON: the exact arguments, and where each of them comes from."""
    return {
        "kind": KIND,
        "question": f"May the tool '{tool}' be called with these arguments? " + " ".join(reasons),
        "tool": tool,
        "class": access,
        "agent": agent,
        "arguments": dict(arguments),
        "reasons": list(reasons),
        "origins": [origin.to_dict() for origin in origins],
    }


def read(answer: Any) -> Answer:
    """Read an answer.

    Raises:
        InvalidInput: It is none of those that were offered.
    """
    if answer == "yes":
        return Answer(approved=True)
    if answer == "no":
        return Answer(approved=False)
    if answer == "always":
        return Answer(approved=True, always="*")
    if isinstance(answer, dict):
        given = cast("dict[str, Any]", answer)
        match given:
            case {"arguments": dict() as arguments}:
                return Answer(approved=True, arguments=cast("dict[str, Any]", arguments))
            case {"no": str() as reason}:
                return Answer(approved=False, reason=reason)
            case {"always": str() as rule}:
                return Answer(approved=True, always=rule)
            case _:
                pass
    raise InvalidInput(
        f'The answer {answer!r} is none of "yes", "no", "always", {{"arguments": {{…}}}}, {{"no": "why"}}.'
    )
