"""`motet eval run | list | show`: score a graph on a data set, keep the results, and compare two of them.

What does not live here: asking (`motet.app.evals`), scores, statistics and files (`motet.runs.evals`).
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path  # noqa: TC003  # typer reads the types
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from motet.app import App
    from motet.runs.evals.dataset import Dataset
    from motet.runs.evals.stats import Comparison, Summary
    from motet.runs.evals.store import Evaluation, Evaluations, Header

Model = Annotated[str | None, typer.Option("--model", "-m", metavar="SPEC", help="The model.")]
Graph = Annotated[str | None, typer.Option("--graph", "-g", metavar="NAME", help="The graph.")]
Tools = Annotated[list[str] | None, typer.Option("--tool", help="Only this tool; may be repeated.")]


def run(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One JSON object a line: input, expected, check.")
    ],
    *,
    graph: Graph = None,
    model: Model = None,
    against_graph: Annotated[
        str | None, typer.Option("--against-graph", metavar="NAME", help="Compare with this graph.")
    ] = None,
    against_model: Annotated[
        str | None, typer.Option("--against-model", metavar="SPEC", help="Compare with this model.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", metavar="SPEC", help="Who judges; the role 'judge' unless given.")
    ] = None,
    tools: Tools = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Keep the results by this.")
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", "-p", min=1, max=64, help="Rows at once.")] = 2,
    least: Annotated[
        float,
        typer.Option(
            "--min", metavar="SHARE", min=0, max=1, help="Exit with 6 where fewer rows pass, 0 to 1."
        ),
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Score a graph on a data set. Stopped and called again it goes on; rows that were answered are not asked again."""
    from motet.runs.evals.dataset import load

    dataset = load(file)

    async def work(app: App) -> list[Evaluation]:
        made = _header(app, dataset, (graph, model), judge, name)
        sides = [made]
        if against_graph is not None or against_model is not None:
            other = f"{name}-against" if name else None
            second = against_graph or graph, against_model or model
            sides.append(_header(app, dataset, second, judge, other))
        return [await _evaluate(app, dataset, side, tools, parallel, tell=not as_json) for side in sides]

    found = with_app(work, overrides={"runs.concurrency": parallel})
    _show(found[0], found[1] if len(found) > 1 else None, as_json=as_json, rows=False)
    _exit(found, least)


def _exit(found: list[Evaluation], least: float) -> None:
    """Exit as a script needs it: rows that could not be run are no scores, and come first.

    Raises:
        typer.Exit: A row of a side could not be run, or fewer of the first side's passed than `least`, a share.
    """
    from motet.runs.evals.stats import summary

    for one in found:
        if failed := summary(list(one.results.values())).errors:
            of = f"{failed} of {one.header.rows} rows"
            note(f"{one.header.name}: {of} could not be run; run it again to ask them anew.")
            raise typer.Exit(exit_codes.FAILED)
    told = summary(list(found[0].results.values()))
    if told.count and told.passed / told.count < least:
        share = f"{100 * told.passed / told.count:.0f} %"
        note(f"{found[0].header.name}: {share} passed; --min asks for {100 * least:g} %.")
        raise typer.Exit(exit_codes.BELOW)


def list_evaluations(as_json: AsJson = False) -> None:
    """List what was evaluated, the newest first."""
    from motet.runs.evals.stats import summary

    store = _store()
    found = [store.read(header.name) for header in store.headers()]
    if as_json:
        print_json([_plain(one) for one in found])
        return
    rows: list[list[str]] = []
    for one in found:
        told, header = summary(list(one.results.values())), one.header
        done = f"{told.count}/{header.rows}"
        rows.append([header.name, header.dataset, header.graph, header.model, done, _share(told)])
    print_table(["name", "data set", "graph", "model", "rows", "passed"], rows, wide=3)


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from 'motet eval list'.")],
    against: Annotated[
        str | None, typer.Option("--against", metavar="NAME", help="Compare with this one, row by row.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an evaluation: every row, the shares with their 95 % intervals, and how it compares with another."""
    from motet.errors import InvalidInput

    store = _store()
    first = store.read(name)
    second = store.read(against) if against is not None else None
    if second is not None and second.header.digest != first.header.digest:
        raise InvalidInput(
            f"'{name}' and '{against}' are of different data sets; only equal rows are compared."
        )
    _show(first, second, as_json=as_json, rows=True)


def _store() -> Evaluations:
    from motet.runs.evals.store import Evaluations
    from motet.settings import Settings

    return Evaluations(Settings.load().storage.home / "evals")


def _header(
    app: App, dataset: Dataset, side: tuple[str | None, str | None], judge: str | None, name: str | None
) -> Header:
    """Return what a side evaluates; `side` is its graph and its model, the settings' where there is none."""
    from motet.runs.evals.store import Header, name_of

    chosen, spec = side[0] or app.settings.agents.graph, side[1] or app.settings.models.default
    judges = judge or app.settings.models.judge if dataset.needs_judge else ""
    return Header(
        name=name or name_of(dataset.name, chosen, spec),
        dataset=dataset.name,
        digest=dataset.digest,
        graph=chosen,
        model=spec,
        rows=len(dataset.rows),
        started_at=time.time(),
        judge=judges,
    )


async def _evaluate(
    app: App, dataset: Dataset, header: Header, tools: list[str] | None, parallel: int, *, tell: bool
) -> Evaluation:
    from motet.app.evals import Evaluator, evaluations
    from motet.cli.render.wording import clip
    from motet.runs.request import RunOptions

    options = RunOptions(model=header.model, tools=tools)
    async for result in Evaluator(app, dataset, header, options, parallel).run():
        if tell and not result.passed:
            note(f"{header.name}, {result.id}: {clip(result.error or '; '.join(result.problems), 110)}")
    return evaluations(app).read(header.name)


def _show(first: Evaluation, second: Evaluation | None, *, as_json: bool, rows: bool) -> None:
    from motet.runs.evals.stats import compare

    compared = compare(first.results, second.results) if second is not None else None
    if as_json:
        sides = [_plain(one) for one in (first, second) if one is not None]
        print_json({"evaluations": sides, "comparison": dataclasses.asdict(compared) if compared else None})
        return
    if rows:
        _print_rows(first, second)
    for one in (first, second):
        if one is not None:
            _print_sums(one)
    if second is not None and compared is not None:
        _print_comparison(first, second, compared)


def _plain(one: Evaluation) -> dict[str, Any]:
    from motet.runs.evals.stats import summary

    results = list(one.results.values())
    told = {**dataclasses.asdict(one.header), "summary": dataclasses.asdict(summary(results))}
    return {**told, "results": [dataclasses.asdict(result) for result in results]}


def _print_rows(first: Evaluation, second: Evaluation | None) -> None:
    rows: list[list[str]] = []
    for key, result in first.results.items():
        other = second.results.get(key) if second is not None else None
        marks = [_mark(passed=result.passed), *([_mark(passed=other.passed)] if other is not None else [])]
        wrong = result.error or "; ".join(result.problems)
        rows.append([key, " ".join(marks), f"{result.score:.2f}", result.asked, wrong])
    print_table(["row", "passed", "score", "asked", "what is wrong"], rows, wide=3)


def _mark(*, passed: bool) -> str:
    return "✓" if passed else "✗"


def _print_sums(one: Evaluation) -> None:
    from motet.runs.evals.stats import summary

    told, header = summary(list(one.results.values())), one.header
    left = f", {header.rows - told.count} not asked yet" if told.count < header.rows else ""
    failed = f", {told.errors} runs failed" if told.errors else ""
    print(f"{header.name} · {header.graph} · {header.model}: {_share(told)} passed{failed}{left}")
    print(
        f"  mean score {told.score:.3f} ({told.score_low:.3f} to {told.score_high:.3f}), "
        f"{told.tokens} tokens, median {told.median_s:.1f} s a row"
    )


def _share(told: Summary) -> str:
    if not told.count:
        return "0 of 0"
    share = 100 * told.passed / told.count
    return f"{told.passed} of {told.count} ({share:.0f} %, {100 * told.passed_low:.0f} to {100 * told.passed_high:.0f})"


def _print_comparison(first: Evaluation, second: Evaluation, compared: Comparison) -> None:
    sure = "differ" if compared.p_value < 0.05 else "cannot be told apart"
    print(
        f"{second.header.name} against {first.header.name}, {compared.count} rows: {compared.better} better, "
        f"{compared.worse} worse; mean score {compared.difference:+.3f} ({compared.low:+.3f} to {compared.high:+.3f}), "
        f"p = {compared.p_value:.3g}: they {sure}."
    )
