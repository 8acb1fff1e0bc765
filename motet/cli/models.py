"""`motet models`: the embedded model's files, and whether a model can do what agents ask of it.

What does not live here: fetching (`motet.models.weights`) and testing (`motet.models.competence`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from motet.models.base import ConnectedModel
    from motet.models.weights import WeightsState

Row = TypeVar("Row")

models = typer.Typer(help="Models: list, fetch, test.", no_args_is_help=True)


@models.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the embedded models: their size, their licence, and where they are."""
    from motet.models import weights
    from motet.settings import Settings

    settings = Settings.load()
    found = list(weights.states(settings))
    if as_json:
        print_json({"default": settings.models.default, "embedded": [_as_dict(state) for state in found]})
        return
    rows = [_as_row(state) for state in found]
    print_table(["name", "size", "here", "licence", "path"], rows, wide=4)
    note(f"Model in use: {settings.models.default}. Others: openai:NAME, vllm:NAME, PROVIDER:NAME@URL.")


@models.command("pull")
def pull_model(
    name: Annotated[
        str, typer.Argument(help="A name from 'motet models list'; the default one unless given.")
    ] = "",
) -> None:
    """Fetch a model's file from the first source that has it, and check it. What is there is not fetched again."""
    import asyncio

    from motet.cli.progress import DownloadBar
    from motet.models import weights
    from motet.settings import Settings

    settings = Settings.load()
    with DownloadBar() as bar:
        path = asyncio.run(weights.fetch(name, settings, progress=bar))
    print(path)


def _as_dict(state: WeightsState) -> dict[str, Any]:
    return {
        "name": state.file.name,
        "file": state.file.file,
        "size_bytes": state.file.size_bytes,
        "sha256": state.file.sha256,
        "licence": state.file.licence,
        "present": state.path is not None,
        "path": str(state.path) if state.path else None,
        "partial_bytes": state.partial_bytes,
        "default": state.is_default,
    }


def _as_row(state: WeightsState) -> list[str]:
    from motet.cli.render.wording import size

    here = "yes" if state.path else f"{size(state.partial_bytes)} of it" if state.partial_bytes else "no"
    name = state.file.name + (" (default)" if state.is_default else "")
    return [name, size(state.file.size_bytes), here, state.file.licence, str(state.path or "")]


Spec = Annotated[
    str | None,
    typer.Argument(help="embedded, openai:NAME, …; the model in use unless given.", metavar="[SPEC]"),
]


@models.command("test")
def try_model(spec: Spec = None, as_json: AsJson = False) -> None:
    """Try what agents need of a model: each skill is passed or failed. Status 1 when one failed."""
    import dataclasses

    from motet.cli.render.wording import clip, duration
    from motet.models.competence import SkillResult, run_competence

    def show(result: SkillResult) -> None:
        verdict, took = "pass" if result.passed else "FAIL", duration(result.duration_s)
        print(f"{verdict}  {result.language}  {result.skill:<18} {took:>8}  {clip(result.detail, 80)}")

    results, model = _ask(spec, run_competence, None if as_json else show)
    passed = sum(result.passed for result in results)
    if as_json:
        skills = [dataclasses.asdict(result) for result in results]
        told = {"model": str(model.spec), "passed": passed, "failed": len(results) - passed}
        print_json({**told, "skills": skills})
    else:
        note(f"{model.spec}: {passed} of {len(results)} passed.")
    if passed < len(results):
        raise typer.Exit(exit_codes.FAILED)


@models.command("probe")
def probe_model(spec: Spec = None, as_json: AsJson = False) -> None:
    """Ask a server what it and its model can do, one thing at a time, and show how Motet will use it."""
    import dataclasses

    from motet.cli.render.wording import clip
    from motet.models.probe_table import Feature, probe_table

    def show(feature: Feature) -> None:
        verdict = {True: "yes", False: "no", None: "-"}[feature.can]
        print(f"{verdict:<4} {feature.name:<26} {clip(feature.detail, 90)}".rstrip())

    features, model = _ask(spec, probe_table, None if as_json else show)
    used = model.capabilities
    if as_json:
        rows = [dataclasses.asdict(feature) for feature in features]
        print_json({"model": str(model.spec), "used": dataclasses.asdict(used), "features": rows})
    else:
        note(
            f"{model.spec}: tools by {TOOL_METHODS[used.tool_method]}, JSON by {used.json_by or 'prompt and repair'}."
        )


TOOL_METHODS = {
    "native": "the model's own calls",
    "schema": "an enforced schema",
    "prompt": "prompt and repair",
}


def _ask(
    spec: str | None,
    ask: Callable[[ConnectedModel], AsyncIterator[Row]],
    show: Callable[[Row], None] | None,
) -> tuple[list[Row], ConnectedModel]:
    """Connect a model and have it asked, showing each row as it comes.

    Args:
        spec: Which model; the one in use at None.
        ask: Yields rows.
        show: Prints one; nothing is printed at None.

    Raises:
        InvalidInput: The spec cannot be read.
        ModelError: The model cannot be reached.
        WeightsError: The embedded model's file is missing or corrupt.
    """
    import asyncio

    from motet.models.base import ModelSpec
    from motet.models.roles import Models
    from motet.settings import Settings

    settings = Settings.load()
    chosen = ModelSpec.parse(spec or settings.models.default)

    async def run() -> tuple[list[Row], ConnectedModel]:
        connections = Models(settings)
        rows: list[Row] = []
        try:
            model = await connections.chat("deep", str(chosen))
            async for row in ask(model):
                rows.append(row)
                if show is not None:
                    show(row)
        finally:
            await connections.aclose()
        return rows, model

    return asyncio.run(run())
