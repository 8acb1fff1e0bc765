"""Replies that somebody puts in the place of recorded ones, brought into the form of what they replace.

What does not live here: playing them (`motet.models.replay`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput
from motet.models.cassette import message_of
from motet.runs.recordings.taps import FORMS
from motet.tools.ledger.recorded import from_tape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.models.cassette import Call, Cassette


def fitted(cassette: Cassette, changes: Mapping[int, Any]) -> dict[int, Any]:
    """Return the changes as the recording would have them: of a model or a tool a text is enough.

    Args:
        cassette: What is played.
        changes: By the number of the call.

    Raises:
        InvalidInput: There is no such call, or what is to stand in its place has another form.
    """
    by_number = {call.number: call for call in cassette.calls}
    if unknown := sorted(set(changes) - set(by_number)):
        raise InvalidInput(
            f"The recording has no call {unknown[0]} that could be changed: it has {len(by_number)}. "
            f"'motet replay RUN --calls' lists them."
        )
    return {number: _fit(by_number[number], given) for number, given in changes.items()}


def _fit(call: Call, given: Any) -> Any:
    """Return one reply; reading it as the run will do is the check."""
    try:
        if call.kind in ("model", "tool"):
            plain: Any = given
            if not isinstance(given, dict):
                text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
                plain = {"text": text, "message": {"content": text}}
            if call.kind == "tool" and "message" in plain:
                _ = plain["message"]["content"]  # LangChain would say None
            _ = message_of(plain) if call.kind == "model" else from_tape(plain)
            return plain
        value = json.loads(given) if isinstance(given, str) else given
        FORMS[call.kind, call.name].validate_python(value)
    except (ValueError, TypeError, KeyError, AttributeError):
        shape = json.dumps(call.response, ensure_ascii=False, default=str)
        raise InvalidInput(
            f"What stands in the place of call {call.number} ({call.kind} {call.name}) has not its form. It gave "
            f"{shape if len(shape) <= 200 else f'{shape[:200]}…'}; write JSON of that form."
        ) from None
    return value
