"""A server over the scripted model."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from server_house import House, open_house, server_settings

from motet import Settings


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(server_settings(settings, tmp_path)) as opened:
        yield opened


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as opened:
        yield opened
