"""`motet models`: the embedded model's files, and whether a model can do what agents ask of it.

What does not live here: fetching (`motet.models.weights`) and testing (`motet.models.competence`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import exit_codes
from motet.cli.lists import AsJson, note, print_json, print_table

if TYPE_CHECKING:
    from motet.models.weights import WeightsState

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
    name: Annotated[str, typer.Argument(help="A name from 'motet models list'; the default one unless given.")] = "",
) -> None:
    """Fetch a model's file from the first source that has it, and check it. What is there is not fetched again."""
    from motet.cli.progress import Bar
    from motet.models import weights
    from motet.settings import Settings

    settings = Settings.load()
    with Bar(in_bytes=True) as bar:
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
