"""Asks a graph every row of a data set and scores the answers, several at once; what is done stays done.

What does not live here: data sets, scores, files and comparisons (`motet.runs.evals`). Runs enter by the one gate.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motet.agents.judge import Judge
from motet.agents.prompts import Prompts
from motet.errors import MotetError
from motet.events import (
    MessageCompleted,
    RunCancelledEvent,
    RunCompleted,
    RunFailed,
    RunInterrupted,
    ToolStarted,
    Usage,
)
from motet.runs.evals.scores import Answered, Scored, score
from motet.runs.evals.store import Evaluations, Header, Result
from motet.runs.request import RunOptions, RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from motet.app.switchboard import App
    from motet.events import Event
    from motet.runs.evals.dataset import Dataset, Row


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates one graph with one model."""

    app: App
    dataset: Dataset
    header: Header
    options: RunOptions
    parallel: int = 2

    async def run(self) -> AsyncIterator[Result]:
        """Ask what is not done yet, and yield each row's result when it is on disk, in the order that they end.

        A row whose run failed is asked anew when the evaluation is run again; one that was answered never is.

        Raises:
            InvalidInput: The evaluation's name is that of another one, or a judge is needed and cannot be understood.
            ModelError: The judge that is needed cannot be reached; no row was asked then.
        """
        store = evaluations(self.app)
        begun = await asyncio.to_thread(store.begin, self.header)
        left = [row for row in self.dataset.rows if _is_open(row, begun.results)]
        if any(check.type == "judge" for row in left for check in row.checks):
            await self._judge().connect(None)
        turn = asyncio.Semaphore(self.parallel)

        async def ask(row: Row) -> Result:
            async with turn:
                earlier = begun.results.get(row.id)
                return await self._ask(row, begun.header, (earlier.tries if earlier else 0) + 1)

        asking = [asyncio.ensure_future(ask(row)) for row in left]
        try:
            for done in asyncio.as_completed(asking):
                result = await done
                await asyncio.to_thread(store.add, self.header.name, result)
                yield result
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, row: Row, header: Header, tries: int) -> Result:
        began = time.monotonic()
        told = _Told()
        scored, error = Scored(0.0, passed=False), ""
        try:
            await self._follow(row, f"eval {header.name} {header.started_at} {row.id} {tries}", told)
            scored = await score(row, told.answered, self._judge())
        except MotetError as problem:
            error = problem.message
        return Result(
            id=row.id,
            asked=row.asked,
            answer=told.text,
            score=scored.score,
            passed=scored.passed,
            problems=list(scored.problems),
            error=error,
            run_id=told.run_id,
            tokens=told.tokens,
            duration_s=round(time.monotonic() - began, 3),
            weight=row.weight,
            tries=tries,
        )

    async def _follow(self, row: Row, key: str, told: _Told) -> None:
        """Have a row's run made, or the one followed that an evaluation made which was stopped."""
        request = RunRequest(
            graph=self.header.graph, input=row.graph_input, options=self.options, idempotency_key=key[-255:]
        )
        await self.app.start_worker()
        accepted = await self.app.submit(request)
        told.run_id = accepted.run_id
        if not accepted.created:
            await self.app.resume_thread(accepted.thread_id)
        async for recorded in self.app.follow(accepted.run_id):
            told.take(recorded.event)

    def _judge(self) -> Judge:
        """Return who judges: the evaluation's own judge, else the role's."""
        spec = self.header.judge or None
        return Judge(lambda _: self.app.models.chat("judge", spec), Prompts.of(self.app.settings.agents))


class _Told:
    """What a run told so far."""

    def __init__(self) -> None:
        self.run_id = ""
        self.text = ""
        self.tokens = 0
        self._citations: list[str] = []
        self._tools: list[str] = []

    @property
    def answered(self) -> Answered:
        """What the run came to, so far."""
        return Answered(self.text, self._citations, self._tools)

    def take(self, event: Event) -> None:
        """Take an event in.

        Raises:
            MotetError: The run failed, was cancelled, or waits for a person.
        """
        match event:
            case MessageCompleted(role="assistant", text=text, citations=citations):
                self.text = text
                self._citations = [
                    word for passage in citations for word in (passage.source, passage.passage_id)
                ]
            case ToolStarted(name=name):
                self._tools.append(name)
            case Usage(input_tokens=read, output_tokens=written):
                self.tokens += read + written
            case RunFailed(error=error):
                raise MotetError.from_dict(error)
            case RunInterrupted():
                raise MotetError("The run waits for a person.")
            case RunCancelledEvent(reason=reason):
                raise MotetError(f"The run was cancelled: {reason}")
            case RunCompleted() | _:
                pass


def evaluations(app: App) -> Evaluations:
    """Return the evaluations of an app's data folder."""
    return Evaluations(app.settings.storage.home / "evals")


def _is_open(row: Row, results: Mapping[str, Result]) -> bool:
    found = results.get(row.id)
    return found is None or bool(found.error)
