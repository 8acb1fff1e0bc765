"""`motet runs resume`: the answer to what a run waits for, and the run that goes on with it.

What does not live here: how a run is shown (`view`), and whether the answer fits (the gate).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.cli.ask import end
from motet.cli.session import Terminal, with_app
from motet.cli.stops import Stops
from motet.cli.view import text_view
from motet.errors import Conflict, InvalidInput, NotFound
from motet.runs.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.cli.render.outcome import Outcome
    from motet.events import InterruptRequested


def resume(run: str, interrupt: str | None, answer: str, *, quiet: bool) -> None:
    """Answer a run's question and show the run that goes on, to its end."""
    view, stops = text_view(Terminal.detect(), None, quiet=quiet), Stops()

    async def work(app: App) -> Outcome:
        try:
            accepted = await app.submit(await _request(app, run, interrupt, answer))
            stops.stop_with(lambda: app.cancel(accepted.run_id, reason="stopped by the user"))
            await app.start_worker()
            return await view.follow(app, accepted.run_id)
        finally:
            view.close()

    end(with_app(work, stops=stops), stops)


async def _request(app: App, run: str, interrupt: str | None, answer: str) -> RunRequest:
    record = await app.records.run(run)
    questions = await app.records.questions(record)
    if questions:
        asked = choose(questions, interrupt)
        answers = {asked.interrupt_id: read_answer(answer, asked.response_schema)}
        return RunRequest(thread_id=record.thread_id, answers=answers)
    if record.status == "interrupted":
        raise Conflict(f"Run {record.run_id} waits no more: its conversation went on.")
    return RunRequest(thread_id=record.thread_id, resume=answer)  # the gate says why it is not taken


def choose(questions: Sequence[InterruptRequested], interrupt: str | None) -> InterruptRequested:
    """Return the question that is meant: the only one, or the one whose id begins so.

    Raises:
        InvalidInput: There are several, and none is named.
        NotFound: None of them, or more than one, begins so.
    """
    shown = ", ".join(question.interrupt_id for question in questions)
    if interrupt is None:
        if len(questions) > 1:
            raise InvalidInput(f"The run asks {len(questions)} things: say which by --interrupt ({shown}).")
        return questions[0]
    found = [question for question in questions if question.interrupt_id.startswith(interrupt)]
    if len(found) != 1:
        raise NotFound(f"'{interrupt}' names no open question of this run, or several. Open: {shown}.")
    return found[0]


def read_answer(text: str, schema: dict[str, Any] | None) -> Any:
    """Return an answer as JSON where it is JSON that fits, else as the text that it is."""
    from motet.models.json_text import schema_problem

    try:
        value = json.loads(text)
    except ValueError:
        return text
    fits_as_text_alone = schema and schema_problem(value, schema) and not schema_problem(text, schema)
    return text if fits_as_text_alone else value
