"""A saver on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conversation import KEY

from motet.memory.checkpoints import MotetSaver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'saver.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def saver(url: str) -> Iterator[MotetSaver]:
    """A saver on an empty database."""
    with MotetSaver.from_url(url, secret_key=KEY) as opened:
        yield opened
