"""A check-up of the embedded model: is everything there that it needs, and if not, what helps.

What does not live here: showing it. Nothing is downloaded, and no process is started.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from typing import TYPE_CHECKING

from motet.errors import InvalidInput, MotetError
from motet.models import weights
from motet.models.base import ModelSpec
from motet.telemetry import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from motet.models.manifest import ModelFile
    from motet.settings import Settings

ENGINE = "xllamacpp"


def check_embedded(settings: Settings) -> list[Finding]:
    """Return what is found: the engine, and for each model in use its weights, the disk and the memory.

    Blocks for some seconds when a file's checksum has to be taken for the first time. Never raises for what is
    wrong: it is a finding. Nothing is found when no role uses an embedded model.
    """
    names = _names_in_use(settings)
    findings = [_engine()] if names else []
    for name in names:
        findings += _check_one(name, settings)
    return findings


def _names_in_use(settings: Settings) -> list[str]:
    """Return the embedded models that some role uses, each once."""
    group = settings.models
    names: dict[str, None] = {}
    for text in (group.default, group.fast, group.deep, group.judge):
        try:
            spec = ModelSpec.parse(text) if text else None
        except InvalidInput:  # whoever connects it says so
            continue
        if spec and spec.provider == "embedded":
            names[spec.name or settings.embedded.name] = None
    return list(names)


def _check_one(name: str, settings: Settings) -> list[Finding]:
    try:
        file = weights.look_up(name, settings)
        path = weights.find(name, settings)
    except MotetError as error:
        return [Finding("embedded weights", ok=False, detail=error.message)]
    except OSError as error:
        detail = f"{settings.storage.cache} cannot be read: {error.strerror}"
        fix = "Set MOTET_CACHE to another folder."
        return [Finding("embedded weights", ok=False, detail=detail, fix=fix)]
    cache = [] if path else [_cache(file, settings.storage.cache)]
    return [_weights(file, path), *cache, *_memory(file)]


def _engine() -> Finding:
    if importlib.util.find_spec(ENGINE) is None:
        return Finding(
            "embedded engine", ok=False, detail=f"{ENGINE} is not installed", fix=f"pip install {ENGINE}"
        )
    return Finding("embedded engine", ok=True, detail=f"{ENGINE} {importlib.metadata.version(ENGINE)}")


def _weights(file: ModelFile, path: Path | None) -> Finding:
    if path is None:
        detail = f"{file.name} was not fetched yet ({file.size_bytes / 1e9:.1f} GB)"
        return Finding("embedded weights", ok=False, detail=detail, fix=f"motet models pull {file.name}")
    return Finding("embedded weights", ok=True, detail=f"{file.name}, checksum right: {path}")


def _cache(file: ModelFile, cache: Path) -> Finding:
    """Look whether the weights could be fetched into the cache."""
    folder = cache
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        return Finding(
            "weights cache",
            ok=False,
            detail=f"{folder} cannot be written",
            fix="Set MOTET_CACHE to another folder.",
        )
    detail = f"{cache}: {free / 1e9:.1f} GB free, {file.size_bytes / 1e9:.1f} GB needed"
    fix = "Free some space, or set MOTET_CACHE to a folder on another disk."
    enough = free > file.size_bytes * 1.4  # the parts on their way count too
    return Finding("weights cache", ok=enough, detail=detail, fix="" if enough else fix)


def _memory(file: ModelFile) -> list[Finding]:
    """Compare the machine's memory with what the model takes; nothing where one of them is unknown."""
    if not file.memory_bytes or "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return []
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    enough = total > file.memory_bytes * 1.2
    detail = f"{total / 1e9:.1f} GB in all, {file.name} takes {file.memory_bytes / 1e9:.1f} GB"
    fix = "Use a smaller one: MOTET_EMBEDDED_NAME=qwen2.5-coder-0.5b, or fewer slots: MOTET_EMBEDDED_SLOTS=1."
    return [Finding("memory for the model", ok=enough, detail=detail, fix="" if enough else fix)]
