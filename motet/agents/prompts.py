"""Prompts: text files in English and Chinese, which a user's own folder may replace one by one.

A file may hold `$name` placeholders. What is put in for them is never read as a template again, so nothing that a
user, a document or a tool says can reach another value.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal

from motet.errors import SettingInvalid, did_you_mean
from motet.storage.search import cjk_share
from motet.telemetry import Finding

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from motet.settings import Settings

Language = Literal["en", "zh"]

FOLDER = "prompt_texts"


class Prompts:
    """The prompts of one app. `override` is a folder laid out like the shipped one: `en/plan.md`, `zh/plan.md`."""

    def __init__(self, *, override: str = "", language: str = "auto") -> None:
        self._override = Path(override) if override else None
        self._language = language
        self._render = lru_cache(maxsize=64)(self._load)

    def language_of(self, text: str) -> Language:
        """Return which language's prompts fit a text: the settings' choice, else Chinese from 20 % CJK letters on."""
        if self._language in ("en", "zh"):
            return "en" if self._language == "en" else "zh"
        return "zh" if cjk_share(text) >= 0.2 else "en"

    def text(self, name: str, language: Language, **values: str) -> str:
        """Return a prompt with its placeholders filled.

        Raises:
            SettingInvalid: The user's file lacks a placeholder that the shipped one has, or has an unknown one.
        """
        return self._render(name, language).substitute(values)

    def check(self) -> None:
        """Read every file of the user's folder, so that one that is wrong is told of before any work begins.

        Raises:
            SettingInvalid: The folder is not there; a file is no prompt's, lacks a placeholder, or has an unknown one.
        """
        if self._override is None:
            return
        if not self._override.is_dir():
            raise SettingInvalid(
                f"MOTET_PROMPTS is '{self._override}', which is no folder.", setting="agents.prompts"
            )
        languages: tuple[Language, ...] = ("en", "zh")
        for language in languages:
            known = {path.name.removesuffix(".md") for path in _folder(language).iterdir()}
            for path in sorted((self._override / language).glob("*.md")):
                if path.stem not in known:
                    raise SettingInvalid(
                        f"Prompt file {path} replaces none.{did_you_mean(path.stem, known)}", path=str(path)
                    )
                self._render(path.stem, language)

    def _load(self, name: str, language: Language) -> Template:
        shipped = Template(_shipped(name, language))
        path = self._override / language / f"{name}.md" if self._override else None
        if path is None or not path.is_file():
            return shipped
        own = Template(path.read_text("utf-8").strip())
        wanted, found = set(shipped.get_identifiers()), set(own.get_identifiers())
        if wanted != found or not own.is_valid():
            raise SettingInvalid(
                f"Prompt file {path} must have the placeholders {_names(wanted)}; it has {_names(found)}.",
                path=str(path),
            )
        return own


def _shipped(name: str, language: Language) -> str:
    return (_folder(language) / f"{name}.md").read_text("utf-8").strip()


def _folder(language: Language) -> Traversable:
    return resources.files("motet.agents") / FOLDER / language


def check_prompts(settings: Settings) -> list[Finding]:
    """Return a finding about the user's own prompts, where there are any."""
    folder = settings.agents.prompts
    if not folder:
        return []
    try:
        Prompts(override=folder).check()
    except SettingInvalid as error:
        return [
            Finding(
                "prompts", ok=False, detail=error.message, fix="Correct the file, or unset MOTET_PROMPTS."
            )
        ]
    return [Finding("prompts", ok=True, detail=f"{folder} fits")]


def _names(found: set[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(found)) or "none"
