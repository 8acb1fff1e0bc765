"""Which model answers for which role.

What does not live here: any provider; they are looked up in `base.PROVIDERS` when first needed.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from motet.errors import ModelError, MotetBug, WeightsError
from motet.models.base import PROVIDERS, ConnectedModel, ModelSpec
from motet.models.fallback import FallbackChatModel, Voice

if TYPE_CHECKING:
    from motet.models.base import Provider, Role
    from motet.settings import Settings

OTHER_PROVIDER = "motet.models.openai:OpenAICompatibleProvider"
"""The provider of a word that is not in the table: any server that speaks OpenAI's wire, at the URL in the spec."""


class Models:
    """Connects models by role, each spec once. Close it with `aclose()`; it can be used again after that."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._providers: dict[str, Provider] = {}
        self._connected: dict[ModelSpec, ConnectedModel] = {}
        self._locks: dict[ModelSpec, asyncio.Lock] = {}
        self._groups: dict[tuple[ModelSpec, ...], list[Voice]] = {}

    def spec(self, role: Role, override: str | None = None) -> ModelSpec:
        """Return which model a role uses first: `override`, else the role's own setting, else the default model.

        Raises:
            InvalidInput: The spec cannot be read.
        """
        return self.specs(role, override)[0]

    def specs(self, role: Role, override: str | None = None) -> tuple[ModelSpec, ...]:
        """Return the models of a role, the first choice first; the others take over when it fails.

        Raises:
            InvalidInput: One of them cannot be read.
        """
        group = self._settings.models
        return ModelSpec.parse_list(override or getattr(group, role) or group.default)

    async def chat(self, role: Role, override: str | None = None) -> ConnectedModel:
        """Return the connected model of a role. Calls at once for one spec connect it once; a failure is not kept.

        With several models the first that can be reached says what they can do together, and each call begins with the
        first that is not known to be down.

        Raises:
            InvalidInput: The spec cannot be read.
            SettingInvalid: A setting that the provider needs is missing.
            ModelError: The model cannot be reached, or is refused; see `Provider.connect`. With several: the last one.
            WeightsError: The embedded model's file is missing or corrupt.
        """
        specs = self.specs(role, override)
        if len(specs) == 1:
            return await self._connect(specs[0])
        if specs not in self._groups:
            cool_s = self._settings.models.circuit_cool_s
            self._groups[specs] = [Voice(spec, self._connect, cool_s=cool_s) for spec in specs]
        return await _together(self._groups[specs])

    async def _connect(self, spec: ModelSpec) -> ConnectedModel:
        lock = self._locks.setdefault(spec, asyncio.Lock())
        async with lock:
            found = self._connected.get(spec)
            if found is None:
                found = await self._provider(spec).connect(spec)
                self._connected[spec] = found
            return found

    async def aclose(self) -> None:
        """Close every provider, the last opened first. A second call does nothing."""
        self._connected.clear()
        self._locks.clear()
        self._groups.clear()
        while self._providers:
            _, provider = self._providers.popitem()
            await provider.aclose()

    def _provider(self, spec: ModelSpec) -> Provider:
        where = PROVIDERS.get(spec.provider, OTHER_PROVIDER)
        if where not in self._providers:
            self._providers[where] = provider_of(spec, self._settings)
        return self._providers[where]


def provider_of(spec: ModelSpec, settings: Settings) -> Provider:
    """Return a new provider for a spec; nothing is asked of a server before it connects."""
    module, _, name = PROVIDERS.get(spec.provider, OTHER_PROVIDER).partition(":")
    return cast("Provider", getattr(importlib.import_module(module), name)(settings))


async def _together(voices: list[Voice]) -> ConnectedModel:
    """Return some models as one, with what the first that can be reached is able to."""
    for place, voice in enumerate(voices):
        try:
            first = await voice.connect()
        except (ModelError, WeightsError):
            if place + 1 == len(voices):
                raise
        else:
            return replace(first, spec=voices[0].spec, chat=FallbackChatModel(voices=voices))
    raise MotetBug("A group of models was empty.")
