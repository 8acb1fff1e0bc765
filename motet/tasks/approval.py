"""The question of an `approve` step, and what its answer means."""

from __future__ import annotations

from typing import Any

SCHEMA: dict[str, Any] = {"title": "Answer", "enum": ["yes", "no", True, False]}
"""JSON Schema of an answer."""


def question(step_id: str, text: str) -> dict[str, Any]:
    """Return what the person is asked, as plain JSON."""
    return {"question": f"{text} (yes or no)", "step": step_id}


def is_yes(answer: Any) -> bool:
    """Say whether an answer lets the run go on."""
    return answer is True or (isinstance(answer, str) and answer.strip().lower() == "yes")
