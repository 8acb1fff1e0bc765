"""What a person is asked about a call whose end nobody knows, and what the answer means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from motet.tools.ledger.base import Call

ANSWER_SCHEMA: dict[str, Any] = {
    "title": "Answer",
    "anyOf": [
        {"enum": ["again", "skip"]},
        {
            "type": "object",
            "properties": {"result": {"type": "string"}},
            "required": ["result"],
            "additionalProperties": False,
        },
    ],
}
"""JSON Schema of an answer: `"again"`, `"skip"`, or `{"result": "what the agent is to be told"}`."""

SKIPPED = "This call was broken off, and it is not known whether it happened. It is not made again."
"""What the agent is told of a call that is skipped."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a call."""

    again: bool
    result: str = ""
    """What the agent is told instead."""
    skipped: bool = False


def question(call: Call) -> dict[str, Any]:
    """Return what the person is asked, as plain JSON."""
    return {
        "question": f"The tool '{call.tool}' was called and then the work broke off: the call may have happened. "
        'Answer "again" to run it again, {"result": "…"} to take this as its result, or "skip" to go on without.',
        "tool": call.tool,
        "arguments": json.loads(call.arguments),
    }


def decide(answer: Any) -> Decision:
    """Read an answer.

    Raises:
        InvalidInput: It is none of those that were offered.
    """
    if answer == "again":
        return Decision(again=True)
    if answer == "skip":
        return Decision(again=False, result=SKIPPED, skipped=True)
    if isinstance(answer, dict) and isinstance(answer.get("result"), str):  # pyright: ignore[reportUnknownMemberType]
        return Decision(again=False, result=str(answer["result"]))  # pyright: ignore[reportUnknownArgumentType]
    raise InvalidInput(f'The answer {answer!r} is neither "again" nor "skip" nor {{"result": "…"}}.')
