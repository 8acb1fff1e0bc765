from pathlib import Path

import numpy as np

from motet.retrieval.base import LoadedDocument
from motet.retrieval.ingest import cut_document, to_rows
from motet.retrieval.load import FileBytes, load_document
from motet.settings import RetrievalSettings
from motet.storage.search import terms

FARES = b"# Fares\n\nAn adult pays 64.\n\n## Dogs\n\nA dog pays 12.\n"
SETTINGS = RetrievalSettings(chunk_chars=200, overlap_chars=20)


def document_of(data: bytes) -> LoadedDocument:
    return load_document(data, Path("fares.md"))


def file_of(data: bytes) -> FileBytes:
    return FileBytes(data, "hash", 1.0)


def test_a_passage_is_embedded_and_indexed_under_its_headings() -> None:
    cut = cut_document(document_of(FARES), "fares.md", SETTINGS)
    assert cut.embedding_texts() == ["Fares\nAn adult pays 64.", "Fares › Dogs\nA dog pays 12."]
    assert [made.split() for made in cut.terms] == [terms(text) for text in cut.embedding_texts()]


def test_a_heading_below_another_title_is_given_both() -> None:
    page = b"---\ntitle: Corvane\n---\n# Fares\n\nAn adult pays 64.\n"
    cut = cut_document(document_of(page), "fares.md", SETTINGS)
    assert cut.embedding_texts() == ["Corvane › Fares\nAn adult pays 64."]


def test_rows_carry_vectors_as_little_endian_floats_and_ids_of_their_own() -> None:
    cut = cut_document(document_of(FARES), "/d/fares.md", SETTINGS)
    vectors = np.array([[0.6, 0.8], [1, 0]], np.float64)
    rows = to_rows(cut, file_of(FARES), vectors.astype(np.float32), collection="default").passages
    assert np.allclose([np.frombuffer(row.vector or b"", "<f4") for row in rows], vectors)
    again = to_rows(cut, file_of(FARES), None, collection="default").passages
    other = to_rows(cut, file_of(FARES), None, collection="other").passages
    assert [row.passage_id for row in again] == [row.passage_id for row in rows]
    assert len({row.passage_id for row in [*rows, *other]}) == 4
    assert [row.vector for row in again] == [None, None]
