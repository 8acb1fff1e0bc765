"""`motet eval retrieval`: how well documents are searched.

What does not live here: the scores (`motet.retrieval.evaluate`).
"""

from __future__ import annotations

import dataclasses
from html import escape
from pathlib import Path  # noqa: TC003  # typer reads the types
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import AsJson, note, print_json, print_table
from motet.cli.session import with_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.app import App
    from motet.retrieval.evaluate import StageScores

BAR = 30
"""Columns of a whole bar."""

MEASURES = ("recall", "ndcg", "mrr")
_TITLES = {"recall": "recall@10", "ndcg": "nDCG@10", "mrr": "MRR@10"}


def evaluate_retrieval(
    file: Annotated[
        Path,
        typer.Argument(
            help='One JSON object a line: {"question": "…", "relevant": ["passage id or source"]}.'
        ),
    ],
    collection: Annotated[str, typer.Option("--collection", "-C", help="Which documents.")] = "default",
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write the scores as a picture, an SVG file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score the search of a collection: recall, nDCG and MRR of words, meaning, fused and reranked."""
    from motet.retrieval.evaluate import read_questions

    questions = read_questions(file)

    async def run(app: App) -> list[StageScores]:
        from motet.cli.progress import Bar
        from motet.retrieval.evaluate import rankings, score

        found = []
        with Bar() as bar:
            async for one in rankings(app.searcher([collection]), questions):
                found.append(one)
                bar.show("asking", len(found), len(questions))
        return score(found)

    scores = with_app(run)
    if as_json:
        print_json([dataclasses.asdict(stage) for stage in scores])
    else:
        _print(scores)
    if plot is not None:
        plot.write_text(picture(scores), "utf-8")
        note(f"Written to {plot}.")


def _print(scores: Sequence[StageScores]) -> None:
    rows = [
        [stage.stage, *(f"{getattr(stage, measure):.3f}" for measure in MEASURES), bar(stage.ndcg)]
        for stage in scores
    ]
    print_table(["stage", *(_TITLES[measure] for measure in MEASURES), "nDCG"], rows, wide=4)
    if scores:
        note(f"{scores[0].questions} questions.")


def bar(value: float) -> str:
    """Return a value of 0 to 1 as a bar."""
    return "█" * round(value * BAR) or "▏"


def picture(scores: Sequence[StageScores]) -> str:
    """Return the scores as an SVG: a group of bars for each measure, a bar for each stage."""
    colours = ["#4c78a8", "#f58518", "#54a24b", "#b279a2"]
    width, height, wide = 620, 260, 40
    view = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {view}>']
    for group, measure in enumerate(MEASURES):
        left = 30 + group * 195
        for at, stage in enumerate(scores):
            value = float(getattr(stage, measure))
            tall = value * 170
            x = left + at * (wide + 4)
            parts.append(
                f'<rect x="{x}" y="{200 - tall:.1f}" width="{wide}" height="{tall:.1f}" fill="{colours[at % 4]}"/>'
                f'<text x="{x + wide / 2}" y="{195 - tall:.1f}" text-anchor="middle">{value:.2f}</text>'
            )
        parts.append(f'<text x="{left}" y="218">{_TITLES[measure]}</text>')
    for at, stage in enumerate(scores):
        x = 30 + at * 110
        parts.append(
            f'<rect x="{x}" y="235" width="12" height="12" fill="{colours[at % 4]}"/>'
            f'<text x="{x + 17}" y="246">{escape(stage.stage)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])
