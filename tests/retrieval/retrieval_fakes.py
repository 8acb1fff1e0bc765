"""An embedder that needs no weights, and files to take in."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from fpdf import FPDF
from fpdf.enums import AccessPermission, EncryptionMethod
from numpy.typing import NDArray

from motet.retrieval.collection import KnowledgeBase
from motet.storage.search import terms

Knowledge = Callable[..., KnowledgeBase]


class WordEmbedder:
    """Texts that share terms are near each other; a synonym of the table counts as the same term."""

    dimension = 64

    def __init__(self, name: str = "words@1", synonyms: dict[str, str] | None = None) -> None:
        self.name = name
        self.synonyms = synonyms or {}
        self.embedded: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._embed(texts)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded.extend(texts)
        return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for term in terms(text):
                rows[row, zlib.crc32(self.synonyms.get(term, term).encode()) % self.dimension] += 1
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms, norms, 1), np.float32)


def write(folder: Path, **texts: str) -> list[Path]:
    """Write markdown files, each named by its key; return their paths."""
    paths = [folder / f"{name}.md" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, "utf-8")
    return paths


def write_pdf(*pages: str, title: str = "", sections: bool = False, password: str = "") -> bytes:
    """Return a PDF; with `sections`, lines that begin with `#` become headings with bookmarks."""
    made = FPDF()
    made.set_font("Helvetica", size=12)
    if title:
        made.set_title(title)
    if password:
        made.set_encryption("owner", password, EncryptionMethod.RC4, AccessPermission.none())
    for page in pages:
        made.add_page()
        for line in page.splitlines():
            if sections and line.startswith("#"):
                level = len(line) - len(line.lstrip("#"))
                made.start_section(line[level:].strip(), level=level - 1)
                made.cell(text=line[level:].strip(), new_x="LMARGIN", new_y="NEXT")
            else:
                made.multi_cell(0, text=line, new_x="LMARGIN", new_y="NEXT")
    return bytes(made.output())
