"""Questions of a run that waits: shown one after the other, each answered by the next thing the person writes.

What does not live here: whether an answer is one (`motet.runs.answers` checks it against the question's schema).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.cli.answer import read_answer
from motet.cli.render import wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from motet.events import InterruptRequested


class Asking:
    """The questions of one run, at least one, and the answers so far."""

    def __init__(self, run_id: str, questions: Sequence[InterruptRequested]) -> None:
        self._run_id = run_id
        self._questions = list(questions)
        self._answers: dict[str, Any] = {}

    @property
    def open(self) -> list[InterruptRequested]:
        """The questions that have no answer yet; the first is the one that is asked now."""
        return self._questions[len(self._answers) :]

    def lines(self) -> list[str]:
        """Return what the person is shown of the question that is asked now."""
        asked, number = self.open[0], len(self._answers) + 1
        which = f" ({number} of {len(self._questions)})" if len(self._questions) > 1 else ""
        lines = [f"it asks{which}: {wording.question(asked)}"]
        offered = choices(asked.response_schema)
        if offered:
            lines.append(f"write {' or '.join(offered)}, or the first letters of it; /new leaves it waiting")
        else:
            lines.append("write the answer; /new leaves it waiting")
        return lines

    def later(self) -> str:
        """Return the line that says how the question is answered by a command of its own."""
        return wording.how_to_answer(self._run_id, self.open)[1]

    def take(self, text: str) -> dict[str, Any] | None:
        """Take what was written as the answer to the question that is asked now.

        Returns:
            All answers by the id of their question; None while one is open.
        """
        asked = self.open[0]
        self._answers[asked.interrupt_id] = _chosen(text, asked.response_schema)
        return None if self.open else dict(self._answers)


def choices(schema: dict[str, Any] | None) -> list[str]:
    """Return the words that a question offers as answers, in its order; [] where it offers none."""
    return list(dict.fromkeys(_words(schema))) if schema else []


def _words(schema: dict[str, Any]) -> Iterator[str]:
    for value in (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])):
        if isinstance(value, str):
            yield value
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _words(part)


def _chosen(text: str, schema: dict[str, Any] | None) -> Any:
    """Return the offered word that a text is, or begins alone; else what `read_answer` makes of it."""
    typed = text.strip().casefold()
    offered = choices(schema)
    same = [word for word in offered if word.casefold() == typed]
    near = same or [word for word in offered if typed and word.casefold().startswith(typed)]
    return near[0] if len(near) == 1 else read_answer(text, schema)
