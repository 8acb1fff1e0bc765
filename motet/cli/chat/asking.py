"""Questions of a run that waits: shown one after the other, each answered by the next thing the person writes.

What does not live here: whether an answer is one (`motet.runs.answers` checks it against the question's schema).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.cli.answer import read_answer
from motet.cli.chat import approving
from motet.cli.render import approval, wording
from motet.tools.policy.approval import is_approval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from motet.events import InterruptRequested


class Asking:
    """The questions of one run, at least one, and the answers so far."""

    def __init__(
        self,
        run_id: str,
        questions: Sequence[InterruptRequested],
        *,
        settings_file: Path = Path("config.toml"),
        later: str = "/new leaves it waiting",
    ) -> None:
        self._run_id = run_id
        self._questions = list(questions)
        self._answers: dict[str, Any] = {}
        self._file = settings_file
        self._explains = False
        self._later = later

    @property
    def open(self) -> list[InterruptRequested]:
        """The questions that have no answer yet; the first is the one that is asked now."""
        return self._questions[len(self._answers) :]

    @property
    def is_approval(self) -> bool:
        """Whether what is asked now is whether a call may be made."""
        return is_approval(self.open[0].value)

    def lines(self) -> list[str]:
        """Return what the person is shown of the question that is asked now."""
        asked, number = self.open[0], len(self._answers) + 1
        which = f" ({number} of {len(self._questions)})" if len(self._questions) > 1 else ""
        if self.is_approval:
            told = approval.explain(asked.value) if self._explains else approval.call(asked.value)
            self._explains = False
            return [
                f"may this be called{which}?",
                *told,
                *approval.choices(asked.value, self._file, later=self._later),
            ]
        lines = [f"it asks{which}: {wording.question(asked)}"]
        offered = choices(asked.response_schema)
        how = f"{' or '.join(offered)}, or the first letters of it" if offered else "the answer"
        return [*lines, f"write {how}{f'; {self._later}' if self._later else ''}"]

    def later(self) -> str:
        """Return the line that says how the question is answered by a command of its own."""
        return wording.how_to_answer(self._run_id, self.open)[-1]

    def draft(self, text: str) -> str | None:
        """Return what is to stand at the prompt when the person wants to change a call's arguments; else None."""
        return approving.draft(text, self.open[0].value) if self.is_approval else None

    def take(self, text: str) -> dict[str, Any] | None:
        """Take what was written as the answer to the question that is asked now.

        Returns:
            All answers by the id of their question; None while one is open.

        Raises:
            InvalidInput: It is no answer to an approval. The question is open as before.
        """
        asked = self.open[0]
        if self.is_approval:
            answer = approving.read(text, asked.value)
            if answer == approving.EXPLAIN:
                self._explains = True
                return None
            self._answers[asked.interrupt_id] = answer
        else:
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
