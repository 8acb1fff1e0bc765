"""Settings of the documents."""

from __future__ import annotations

from dataclasses import dataclass

from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """How documents are cut and searched."""

    chunk_chars: int = setting(
        600,
        "MOTET_CHUNK_CHARS",
        "Longest passage, in characters (a CJK character counts twice).",
        positive=True,
    )
    overlap_chars: int = setting(
        120, "MOTET_CHUNK_OVERLAP", "Overlap of neighbouring passages, in characters."
    )
    limit: int = setting(4, "MOTET_SEARCH_LIMIT", "Passages that a search gives an agent.", positive=True)
    max_file_mb: float = setting(
        50.0, "MOTET_MAX_FILE_MB", "Largest document that is taken in, in megabytes."
    )
