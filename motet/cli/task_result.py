"""A task's run as a result: its steps with their times, its outputs; and the views that show it.

What does not live here: lines about the work while it goes on (`render.notes`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from motet import events
from motet.cli.render.machine import JsonLines, to_json
from motet.cli.render.outcome import Outcome
from motet.errors import InvalidInput
from motet.tasks.junit import Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from motet.cli.session import Terminal
    from motet.cli.view import View
    from motet.events import Recorded


class TaskResult:
    """Folds the events of a task's runs, those that bring answers included. It is a renderer that shows nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcome = Outcome()
        self.outputs: dict[str, Any] | None = None
        self.steps: dict[str, dict[str, Any]] = {}
        """By id: `status`, `seconds`, `result`."""
        self.tools: list[str] = []
        self._plan: dict[int, str] = {}
        self._begun: dict[int, float] = {}

    def show(self, recorded: Recorded) -> None:
        """Take the run's next event."""
        if recorded.event.type == "run.accepted":
            self.outcome.status, self.outcome.error = None, None
            self.outcome.questions = []
        self.outcome.add(recorded)
        match recorded.event:
            case events.PlanUpdated(steps=steps):
                self._plan = {step.step_id: step.task.partition(": ")[0] for step in steps}
                self.steps = {name: {"status": "pending", "seconds": 0.0} for name in self._plan.values()}
            case events.StepStarted(step_id=number, task=task):
                self._plan.setdefault(number, task.partition(": ")[0])
                self._begun[number] = recorded.at
            case events.StepCompleted(step_id=number) as ended:
                took = recorded.at - self._begun.get(number, recorded.at)
                self.steps[self._plan.get(number, str(number))] = {
                    "status": ended.status,
                    "seconds": round(took, 3),
                    "result": ended.result,
                }
            case events.ToolStarted(name=name):
                self.tools.append(name)
            case events.RunCompleted(output=output):
                self.outputs = output.get("outputs")
            case _:
                pass

    def close(self) -> None:
        """Do nothing: nothing is shown."""

    def cases(self) -> list[Case]:
        """Return the steps as test cases of a report."""
        return [
            Case(name, step["status"], step["seconds"], step.get("result", ""))
            for name, step in self.steps.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--output json` prints."""
        whole = self.outcome.to_dict()
        own = {"task": self.name, "outputs": self.outputs, "steps": self.steps}
        names = ("run_id", "thread_id", "status")
        rest = {name: whole[name] for name in ("usage", "error", "questions", "citations")}
        return {name: whole[name] for name in names} | own | rest


class _Object:
    """Writes the result as one object at the end."""

    def __init__(self, result: TaskResult, write: Callable[[str], object]) -> None:
        self._result = result
        self._write = write

    def show(self, recorded: Recorded) -> None:
        """Do nothing: the result takes the events."""

    def close(self) -> None:
        """Write the object."""
        self._write(to_json(self._result.to_dict()) + "\n")


def task_view(terminal: Terminal, result: TaskResult, output: str, out: Path | None, *, quiet: bool) -> View:
    """Return the view of a task's run: text, one JSON object, or a line for each event, to stdout or a file."""
    from motet.cli.view import View, machine_view, text_view

    write = None if out is None else _into(out)
    if output == "text":
        view = text_view(terminal, write, quiet=quiet)
    else:
        to = write or _to_stdout
        view = machine_view(
            terminal, JsonLines(to) if output == "jsonl" else _Object(result, to), quiet=quiet
        )
    return View([result, *view.renderers], view.screen)


def _into(out: Path) -> Callable[[str], object]:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("", "utf-8")
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror or error}.") from None

    def write(text: str) -> None:
        with out.open("a", encoding="utf-8") as file:
            file.write(text)

    return write


def _to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
