"""Settings of the documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.errors import SettingInvalid
from motet.secret import Secret
from motet.settings.field import setting

if TYPE_CHECKING:
    from pathlib import Path


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
    words_weight: float = setting(
        1.0, "MOTET_SEARCH_WORDS_WEIGHT", "What the ranking by words counts in the fused one; 0 for nothing."
    )
    meaning_weight: float = setting(
        1.0,
        "MOTET_SEARCH_MEANING_WEIGHT",
        "What the ranking by meaning counts in the fused one; 0 for nothing.",
    )
    min_cosine: float = setting(
        0.0,
        "MOTET_SEARCH_MIN_COSINE",
        "Passages less like the question than this are not found, unless they hold half of its words; 0 for all. "
        "What is a fitting number depends on the embedding model: `motet kb search --explain` shows it.",
    )
    max_file_mb: float = setting(
        50.0, "MOTET_MAX_FILE_MB", "Largest document that is taken in, in megabytes."
    )
    parse_timeout_s: float = setting(
        60.0, "MOTET_PARSE_TIMEOUT_S", "Longest time that reading one document may take.", positive=True
    )
    parse_memory_mb: float = setting(
        512.0,
        "MOTET_PARSE_MEMORY_MB",
        "Most memory of the process that reads documents, in megabytes.",
        positive=True,
    )
    parse_sandbox: str = setting(
        "auto",
        "MOTET_PARSE_SANDBOX",
        "Whether documents are read in the sandbox: `auto` where there is one, else under limits only; `require` reads "
        "none without it; `off`.",
        choices=("auto", "require", "off"),
    )
    parse_folders: str = setting(
        "",
        "MOTET_PARSE_FOLDERS",
        "Folders and files that the commands of `[loaders]` are shown in the sandbox besides `/usr`, read-only, with "
        "commas between them.",
    )
    chinese: str = setting(
        "pairs",
        "MOTET_CHINESE",
        "How new collections cut Chinese for the search by words: `pairs` of characters, or `words` (`motet[zh]`).",
        choices=("pairs", "words"),
    )
    vectors: str = setting(
        "faiss",
        "MOTET_VECTORS",
        "Where vectors are searched: `faiss`, `chroma`, `milvus`, `pgvector`, `weaviate`.",
    )
    vectors_at: str = setting(
        "", "MOTET_VECTORS_AT", "Folder, file or address of that vector store; FAISS needs none."
    )
    llama_index: str = setting(
        "",
        "MOTET_LLAMA_INDEX",
        "A retriever of LlamaIndex that agents search besides the documents, or a function that gives one, "
        "as `module:name`.",
    )
    rerank: str = setting(
        "",
        "MOTET_RERANK",
        "Orders what was found once more: `model` asks the role `fast`, an address ends in `/rerank`; none unless set.",
    )
    rerank_model: str = setting("", "MOTET_RERANK_MODEL", "Model that the `/rerank` address is asked for.")
    rerank_api_key: Secret = setting(Secret(""), "MOTET_RERANK_API_KEY", "Key for the `/rerank` address.")


def read_command(key: str, value: Any, origin: Path, *, own: bool) -> tuple[str, tuple[str, ...]]:
    """Return the ending and the command of a line of `[loaders]`.

    Args:
        key: `loaders..doc`, the table and the ending.
        value: The command, as a list of its arguments.
        origin: The settings file.
        own: It is the user's own file. A project's file may come from anybody, and must not run commands.

    Raises:
        SettingInvalid: It is no such line, or not in the user's own file.
    """
    if not own:
        raise SettingInvalid(
            f"{origin} sets '{key}': commands that read documents count only in your own config.toml, since a "
            "project's file may come from somebody else. Move the line there.",
            setting=key,
        )
    ending = key.removeprefix("loaders.").lower()
    words: list[Any] = value if isinstance(value, list) else []
    if not ending.startswith(".") or not words or not all(isinstance(w, str) and w for w in words):
        raise SettingInvalid(
            f"Setting {key} in {origin} is no command for an ending: write it as a list of words, like "
            '".doc" = ["antiword", "{path}"].',
            setting=key,
        )
    return ending, tuple(words)
