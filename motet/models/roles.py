"""Which model answers for which role.

What does not live here: any provider; they are looked up in `base.PROVIDERS` when first needed.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, cast

from motet.models.base import PROVIDERS, ModelSpec

if TYPE_CHECKING:
    from motet.models.base import ConnectedModel, Provider, Role
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

    def spec(self, role: Role, override: str | None = None) -> ModelSpec:
        """Return which model a role uses: `override`, else the role's own setting, else the default model.

        Raises:
            InvalidInput: The spec cannot be read.
        """
        group = self._settings.models
        return ModelSpec.parse(override or getattr(group, role) or group.default)

    async def chat(self, role: Role, override: str | None = None) -> ConnectedModel:
        """Return the connected model of a role. Calls at once for one spec connect it once; a failure is not kept.

        Raises:
            InvalidInput: The spec cannot be read.
            SettingInvalid: A setting that the provider needs is missing.
            ModelError: The model cannot be reached, or is refused; see `Provider.connect`.
            WeightsError: The embedded model's file is missing or corrupt.
        """
        spec = self.spec(role, override)
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
        while self._providers:
            _, provider = self._providers.popitem()
            await provider.aclose()

    def _provider(self, spec: ModelSpec) -> Provider:
        where = PROVIDERS.get(spec.provider, OTHER_PROVIDER)
        if where not in self._providers:
            module, _, name = where.partition(":")
            made = getattr(importlib.import_module(module), name)(self._settings)
            self._providers[where] = cast("Provider", made)
        return self._providers[where]
