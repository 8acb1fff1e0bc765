"""What a person is asked about a call before it is made, and what the answer means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from motet.errors import InvalidInput
from motet.tools.policy.rules import Asked, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.tools.policy.origins import Origin

CONVERSATION, SETTINGS = "conversation", "settings"
"""Where a rule that a person allows is kept: with the thread, or in the operator's own settings file."""

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
    for_settings: bool = False
    """Whether that rule is for the settings file too."""


def schema(arguments: Mapping[str, Any], *, is_tainted: bool) -> dict[str, Any]:
    """Return the JSON Schema of an answer.

    `"yes"`, `"no"`, `{"no": "why"}`, `{"arguments": {…}}` for other arguments, `"always"` for this tool in this thread
    (where strangers' words were read: for these very arguments), `{"always": "tool:argument=pattern"}`, and the same
    with `"where": "settings"` to keep the rule in the settings file; not where strangers' words were read.

    Args:
        arguments: JSON Schema of the tool's arguments, which a person's must fit.
        is_tainted: Whether the run has read what strangers wrote.
    """
    places = [CONVERSATION] if is_tainted else [CONVERSATION, SETTINGS]
    return {
        "title": "Approval",
        "anyOf": [
            {"enum": ["yes", "no", "always"]},
            _one("arguments", {"additionalProperties": False, **arguments, "type": "object"}),
            _one("no", {"type": "string"}),
            _one("always", {"type": "string"}, where={"enum": places}),
        ],
    }


def _one(name: str, shape: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: shape, **more},
        "required": [name],
        "additionalProperties": False,
    }


def question(
    tool: str,
    access: str,
    arguments: Mapping[str, Any],
    *,
    reasons: Sequence[str],
    origins: Sequence[Origin],
    agent: str,
    always: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what the person is asked, as plain JSON: the exact arguments, and where each of them comes from.

    `always` is the rule that each place would keep.
    """
    return {
        "kind": KIND,
        "question": f"May the tool '{tool}' be called with these arguments? " + " ".join(reasons),
        "tool": tool,
        "class": access,
        "agent": agent,
        "arguments": dict(arguments),
        "reasons": list(reasons),
        "origins": [origin.to_dict() for origin in origins],
        "always": dict(always or {}),
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
                return Answer(approved=True, always=rule, for_settings=given.get("where") == SETTINGS)
            case _:
                pass
    raise InvalidInput(
        f'The answer {answer!r} is none of "yes", "no", "always", {{"arguments": {{…}}}}, {{"no": "why"}}.'
    )


def is_approval(asked: Any) -> bool:
    """Say whether this is a question that `question` made, and not one that a graph asks in its own words."""
    return (
        isinstance(asked, dict) and asked.get("kind") == KIND and {"tool", "arguments", "always"} <= {*asked}
    )


def rule_for_settings(asked: Mapping[str, Any], answer: Any) -> str:
    """Return the rule that an answer puts into the settings file, "" for none.

    Args:
        asked: The question, as `question` made it.
        answer: What fits its schema.

    Raises:
        InvalidInput: The answer's rule is none, or is not about the call that was asked for.
    """
    given = read(answer)
    if given.always in ("", "*"):
        return asked["always"].get(SETTINGS, "") if given.always and given.for_settings else ""
    call = Asked(asked["tool"], asked["class"], asked["arguments"])
    if given.always not in asked["always"].values() and not Rule.read(given.always).matches(
        call, strictly=True
    ):
        raise InvalidInput(
            f"The rule '{given.always}' is not about this call of {call.tool}. "
            f"This one is: {asked['always'].get(SETTINGS) or asked['always'].get(CONVERSATION)}"
        )
    return given.always if given.for_settings else ""
