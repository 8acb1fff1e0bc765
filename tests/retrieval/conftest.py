"""A knowledge base over a fresh database."""

from pathlib import Path

import pytest
from retrieval_fakes import Knowledge, WordEmbedder

from motet.retrieval.base import Embedder
from motet.retrieval.collection import KnowledgeBase
from motet.settings import Settings
from motet.storage.engine import Database


@pytest.fixture
def knowledge(settings: Settings, database: Database) -> Knowledge:
    """Make knowledge bases over one database; the embedder is `WordEmbedder` unless given."""

    def make(
        embedder: Embedder | None = None, *, words_only: bool = False, tenant_id: str = "local"
    ) -> KnowledgeBase:
        used = None if words_only else embedder or WordEmbedder()
        return KnowledgeBase(database, settings.retrieval, used, tenant_id=tenant_id)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for documents."""
    made = tmp_path / "documents"
    made.mkdir()
    return made
