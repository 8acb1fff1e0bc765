"""Prompts as text files in English and Chinese, which a user's own folder may replace one by one.

What does not live here: the agents' prompts (`agents.prompts`), which are read in the same way.

A file may hold `$name` placeholders. What is put in for them is never read as a template again, so nothing that a
user, a document or a tool says can reach another value.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal

from motet.errors import SettingInvalid, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

    from langchain_core.messages import BaseMessage

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

FOLDER = "prompt_texts"
"""Where a room keeps its prompts: `prompt_texts/en/NAME.md`, `prompt_texts/zh/NAME.md`."""

OWN = "motet.models"

_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-z]{2,}")


class PromptFiles:
    """The prompts of some rooms. No two rooms have one of the same name."""

    def __init__(self, override: str = "", *, rooms: Sequence[str] = (OWN,)) -> None:
        """Keep where they are; a file is read when it is first needed.

        Args:
            override: A folder laid out like the shipped ones, `en/tools.md`, `zh/tools.md`; "" where there is none.
            rooms: Packages with a `prompt_texts` folder.
        """
        self._override = Path(override) if override else None
        self._rooms = rooms
        self._read = lru_cache(maxsize=256)(self._load)

    def text(self, name: str, language: Language, /, **values: str) -> str:
        """Return a prompt with its placeholders filled.

        Raises:
            SettingInvalid: The user's file lacks a placeholder that the shipped one has, or has an unknown one.
        """
        return self._read(name, language).substitute(values)

    def names(self, language: Language) -> set[str]:
        """Return the names of all that are shipped."""
        return {
            path.name.removesuffix(".md")
            for room in self._rooms
            for path in _folder(room, language).iterdir()
        }

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
        for language in LANGUAGES:
            known = self.names(language)
            for path in sorted((self._override / language).glob("*.md")):
                if path.stem not in known:
                    raise SettingInvalid(
                        f"Prompt file {path} replaces none.{did_you_mean(path.stem, known)}", path=str(path)
                    )
                self._read(path.stem, language)

    def _load(self, name: str, language: Language) -> Template:
        shipped = Template(self._shipped(name, language))
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

    def _shipped(self, name: str, language: Language) -> str:
        files = [_folder(room, language) / f"{name}.md" for room in self._rooms]
        return next((file for file in files if file.is_file()), files[0]).read_text("utf-8").strip()


def language_of(messages: Sequence[BaseMessage]) -> Language:
    """Return `zh` when the last user message has more Chinese characters than Latin words, else `en`."""
    text = next((m.text for m in reversed(messages) if m.type == "human"), "")
    return "zh" if len(_CJK.findall(text)) > len(_WORD.findall(text)) else "en"


def _folder(room: str, language: Language) -> Traversable:
    return resources.files(room) / FOLDER / language


def _names(found: set[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(found)) or "none"
