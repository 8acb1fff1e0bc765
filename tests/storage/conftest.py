"""What the tests of encryption share."""

from pathlib import Path

import pytest
from encrypted_home import scripted

from motet.settings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def plain(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a database that is not encrypted, of each kind."""
    settings = scripted(settings, tmp_path)
    if request.param == "sqlite":
        return settings
    return settings.replace(storage__database_url=request.getfixturevalue("postgres_url"))
