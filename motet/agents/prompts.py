"""The agents' prompts: text files in English and Chinese, which a user's own folder may replace one by one.

What does not live here: reading them, and what models are told of tools (`models.prompt_files`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import SettingInvalid
from motet.models.prompt_files import OWN, Language, PromptFiles
from motet.storage.search import cjk_share
from motet.telemetry import Finding

if TYPE_CHECKING:
    from typing import Self

    from motet.settings import Settings
    from motet.settings.agents import AgentSettings

__all__ = ["Language", "Prompts", "check_prompts"]

ROOMS = ("motet.agents", OWN)


class Prompts(PromptFiles):
    """The prompts of one app. `override` is a folder laid out like the shipped one: `en/plan.md`, `zh/plan.md`."""

    def __init__(self, *, override: str = "", language: str = "auto") -> None:
        super().__init__(override, rooms=ROOMS)
        self._language = language

    @classmethod
    def of(cls, settings: AgentSettings) -> Self:
        """Return the prompts that an app's settings name."""
        return cls(override=settings.prompts, language=settings.language)

    def language_of(self, text: str) -> Language:
        """Return which language's prompts fit a text: the settings' choice, else Chinese from 20 % CJK letters on."""
        if self._language in ("en", "zh"):
            return "en" if self._language == "en" else "zh"
        return "zh" if cjk_share(text) >= 0.2 else "en"


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
