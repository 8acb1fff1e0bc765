"""`motet eval skills`: how well a model does what agents ask of it, and beside it plain LangChain with the same model.

What does not live here: the battery and the arms (`motet.agents.skills`).
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer reads the annotation
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.lists import AsJson, note, print_json, print_table

if TYPE_CHECKING:
    from motet.agents.skills.battery import Item
    from motet.agents.skills.report import Result
    from motet.models.base import ModelSpec
    from motet.settings import Settings


def skills(
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="SPEC", help="The model in use unless given.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Order of tools and passages.")] = 0,
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="Only so many prompts; all 124 unless given.")
    ] = 0,
    compare: Annotated[
        bool, typer.Option("--compare/--no-compare", help="Ask LangChain's create_agent too.")
    ] = True,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="Prompts at once.")] = 1,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw the shares into this file.")
    ] = None,
    results_file: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="FILE", help="Keep every result there, and go on from those that it has."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a battery of prompts, English and Chinese, and count what is right by rules; no model judges."""
    import asyncio
    import dataclasses

    from motet.agents.skills import battery, report
    from motet.models.base import ModelSpec
    from motet.settings import Settings

    settings = Settings.load()
    spec = ModelSpec.parse(model or settings.models.default)
    items = battery.load(seed=seed, sample=sample)
    earlier = report.read_results(results_file) if results_file is not None else []
    results = asyncio.run(
        _ask(settings, spec, items, earlier, results_file, parallel=parallel, compare=compare)
    )
    if as_json:
        rows = [dataclasses.asdict(result) for result in results]
        table = [dataclasses.asdict(line) for line in report.lines(results)]
        print_json({"model": str(spec), "seed": seed, "table": table, "results": rows})
    else:
        _show(results)
    if plot is not None:
        report.plot(results, plot)
        note(f"The plot is in {plot}.")


async def _ask(
    settings: Settings,
    spec: ModelSpec,
    items: list[Item],
    earlier: list[Result],
    into: Path | None,
    *,
    parallel: int,
    compare: bool,
) -> list[Result]:
    """Ask every prompt, one arm after the other, telling on stderr of what went wrong; keep each result in a file.

    Raises:
        ModelError: The model cannot be reached.
        ExtraMissing: The comparison is wanted, and LangChain is not installed.
    """
    from motet.agents.skills import arms, report
    from motet.cli.render.wording import clip
    from motet.models.roles import Models

    connections = Models(settings)
    results = list(earlier)
    done = {result.key for result in earlier}
    try:
        model = await connections.chat("deep", str(spec))
        both = [arms.MotetArm(model), *([arms.PlainArm(model)] if compare else [])]
        for arm in both:
            left = [i for i in items if (arm.name, i.skill, i.language, i.turns[-1]) not in done]
            async for result in report.run(arm, left, parallel=parallel):
                results.append(result)
                _keep(result, into)
                if not result.passed:
                    note(f"{arm.name}: {result.skill}, {clip(result.asked, 50)}: {clip(result.detail, 90)}")
    finally:
        await connections.aclose()
    return results


def _keep(result: Result, into: Path | None) -> None:
    import dataclasses
    import json

    if into is not None:
        with into.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(result), ensure_ascii=False) + "\n")


def _show(results: list[Result]) -> None:
    from motet.agents.skills import report

    found = report.lines(results)
    arms = list(found[-1].passed)
    rows = [
        [
            line.skill,
            *(f"{line.passed[arm]}/{line.asked[arm]}" for arm in arms),
            *(f"{line.median_s[arm]:.1f} s" for arm in arms),
        ]
        for line in found
    ]
    print_table(["skill", *arms, *(f"median {arm}" for arm in arms)], rows, wide=0)
    for arm in arms:
        passed, asked = found[-1].passed[arm], found[-1].asked[arm]
        low, high = report.interval(passed, asked)
        share = 100 * passed / asked
        note(f"{arm}: {share:.0f} % right (95 % interval {100 * low:.0f} to {100 * high:.0f}).")
