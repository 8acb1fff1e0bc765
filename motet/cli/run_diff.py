"""`motet runs diff`: what two runs did differently, step by step.

What does not live here: what one run did (`runs`). Ids, times and pieces of answers are no difference.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from motet.cli.lists import AsJson, note, print_json
from motet.cli.runs import read_events
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.events import Event, Recorded
    from motet.runs.request import RunRecord


class Did(NamedTuple):
    """One thing that a run did, in words that are the same whenever it does the same."""

    kind: str
    text: str


Run = Annotated[str, typer.Argument(help="The run's id, or the first characters of it.", metavar="RUN")]


def diff_runs(left: Run, right: Run, as_json: AsJson = False) -> None:
    """Show what two runs did differently: plan, tool calls and their results, passages, answers, ends."""

    async def read(app: App) -> list[tuple[RunRecord, list[Recorded]]]:
        found = [await app.records.run(name) for name in (left, right)]
        return [(run, await read_events(app, run)) for run in found]

    sides = with_app(read)
    did = [[one for recorded in events for one in what(recorded.event)] for _, events in sides]
    lines = compare(*did)
    if as_json:
        shown = [run.model_dump(mode="json") | _sums(events) for run, events in sides]
        print_json(
            {
                "left": shown[0],
                "right": shown[1],
                "lines": [{"sign": sign, **one._asdict()} for sign, one in lines],
            }
        )
        return
    for sign, (run, events) in zip(("---", "+++"), sides, strict=True):
        sums = _sums(events)
        tokens = sums["input_tokens"] + sums["output_tokens"]
        print(
            f"{sign} {run.run_id} · {run.graph} · {run.status} · {sums['model_calls']} model calls, {tokens} tokens"
        )
    for sign, one in lines:
        first, *others = one.text.splitlines() or [""]
        print(f"{sign} {one.kind}: {first}")
        for line in others:
            print(f"{sign}   {line}")
    if all(sign == " " for sign, _ in lines):
        note("They did the same.")


def compare(left: Sequence[Did], right: Sequence[Did]) -> list[tuple[str, Did]]:
    """Return what both did (" "), only the left one ("-") and only the right one ("+"), in order."""
    lines: list[tuple[str, Did]] = []
    for how, i1, i2, j1, j2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if how == "equal":
            lines += [(" ", one) for one in left[i1:i2]]
        else:
            lines += [("-", one) for one in left[i1:i2]] + [("+", one) for one in right[j1:j2]]
    return lines


def what(event: Event) -> list[Did]:
    """Return what an event says that was done; [] for what only tells of its course."""
    from motet import events as e
    from motet.cli.render import wording

    match event:
        case e.PlanUpdated(steps=steps):
            return [Did("plan", "\n".join(f"{s.step_id} {s.agent}: {s.task}" for s in steps))]
        case e.StepCompleted(step_id=step_id, status=status, result=result):
            return [Did("step", f"{step_id} {status}: {result}")]
        case e.ToolStarted(name=name, arguments=arguments):
            return [Did("call", wording.call(name, arguments, value_cells=400))]
        case e.ToolCompleted(name=name, content=content, status=status, arguments=given):
            call = [] if given is None else [Did("call", wording.call(name, given, value_cells=400))]
            return [*call, Did("result", f"{name} {'failed' if status == 'error' else 'said'}: {content}")]
        case e.RetrievalCompleted(query=query, passages=passages):
            return [Did("search", "\n".join([query, *(f"{p.source} {p.start}–{p.end}" for p in passages)]))]
        case e.MessageCompleted(role=role, text=text) if role != "tool":
            return [Did("you" if role == "user" else role, text)]
        case e.InterruptRequested(value=value):
            return [Did("question", str(value))]
        case _:
            return _end(event)


def _end(event: Event) -> list[Did]:
    from motet import events as e

    match event:
        case e.MemoryWritten(text=text):
            return [Did("memory", text)]
        case e.RunFailed(error=error):
            return [Did("failed", str(error.get("message", "")))]
        case e.RunCancelledEvent(reason=reason):
            return [Did("cancelled", reason)]
        case e.EventsRemoved(why=why):
            return [Did("removed", f"events {why}: what they said is not compared")]
        case _:
            return []


def _sums(events: Sequence[Recorded]) -> dict[str, int]:
    from motet.cli.render.outcome import Outcome

    outcome = Outcome()
    for recorded in events:
        outcome.add(recorded)
    return {
        "model_calls": outcome.model_calls,
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
    }
