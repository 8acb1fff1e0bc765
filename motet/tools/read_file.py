"""Reading a text file inside the one folder that the settings allow."""

from __future__ import annotations

import asyncio
import codecs
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from motet.errors import InvalidInput, SettingInvalid
from motet.tools.beneath import SUPPORTED, open_beneath
from motet.tools.wrap import as_tool

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.settings import ToolSettings
    from motet.tools.base import ToolContext

MAX_BYTES = 10_000_000
"""Largest file that is read."""
_LISTED = 40
"""Most names that are told of a folder."""
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Arguments(BaseModel):
    """What the tool is given."""

    path: str = Field(description="File to read, relative to the allowed folder, e.g. notes/today.md")
    offset: int = Field(default=0, ge=0, description="Character to start at, to go on in a long file")


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None where no folder is allowed, or the platform cannot keep to it.

    Raises:
        SettingInvalid: The allowed folder is not a folder.
    """
    if not context.settings.files_root or not SUPPORTED:
        return None
    root = allowed_folder(context.settings)
    limit = context.settings.max_output_chars

    async def read_file(path: str, offset: int = 0) -> str:
        return await asyncio.to_thread(read_text, root, path, offset=offset, limit=limit)

    return as_tool(
        read_file,
        name="read_file",
        description="Read a text file from the allowed folder. Path '.' tells which files there are.",
        arguments=Arguments,
        access="read",
    )


def allowed_folder(settings: ToolSettings) -> Path:
    """Return the folder that file tools may use.

    Raises:
        SettingInvalid: It is not a folder.
    """
    root = Path(settings.files_root).expanduser()
    if not root.is_dir():
        raise SettingInvalid(
            f"MOTET_FILES_ROOT is '{root}', which is not a folder. Name one that exists, or leave it unset.",
            setting="tools.files_root",
        )
    return root


def read_text(root: Path, path: str, *, offset: int = 0, limit: int = 8000) -> str:
    """Read a piece of a text file beneath `root`.

    Args:
        root: The allowed folder.
        path: Relative path of the file. A folder gives its names, one a line, folders with `/` at the end.
        offset: First character of the piece, from 0.
        limit: Most characters of the answer; a cut is told in a last line, with the offset to go on at.

    Raises:
        InvalidInput: No text file, too large, or `offset` lies behind its end.
        NotFound: There is no such file.
        PermissionRefused: The path leads out of the folder, or may not be read.
    """
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = open_beneath(root_fd, path)
    except InvalidInput as error:
        if error.fields.get("folder"):
            return _list(root_fd, path)
        raise
    finally:
        os.close(root_fd)
    return piece(decode(_read(descriptor, path), path), path, offset, limit)


def read_bytes(root: Path, path: str) -> bytes:
    """Read a whole file beneath `root`; see `read_text` for errors."""
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = open_beneath(root_fd, path)
    finally:
        os.close(root_fd)
    return _read(descriptor, path)


def _read(descriptor: int, path: str) -> bytes:
    """Read an open file to its end, and close it."""
    with os.fdopen(descriptor, "rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            f"'{path}' has {max(size_bytes, len(data)):,} bytes; at most {MAX_BYTES:,} are read.", path=path
        )
    return data


def _list(root_fd: int, path: str) -> str:
    """Name what a folder holds."""
    descriptor = open_beneath(root_fd, path, folder=True)
    try:
        with os.scandir(descriptor) as entries:
            names = sorted(
                entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "") for entry in entries
            )
    finally:
        os.close(descriptor)
    more = f"\n… and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"'{path}' is a folder with {len(names)} entries.\n" + "\n".join(names[:_LISTED]) + more


def decode(data: bytes, path: str) -> str:
    """Decode a text file; its lines end in one newline. For errors see `encoding_of`."""
    return data.decode(encoding_of(data, path)).replace("\r\n", "\n")


def encoding_of(data: bytes, path: str) -> str:
    """Return a text file's encoding: UTF-8, UTF-16 with its mark, or GB18030, which holds GBK and GB2312.

    Raises:
        InvalidInput: It is in none of these, or no text.
    """
    marked = next((encoding for bom, encoding in _BOMS.items() if data.startswith(bom)), None)
    if marked is None and _is_binary(data):
        raise InvalidInput(f"'{path}' is not a text file. Only text is read.", path=path)
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise InvalidInput(f"'{path}' is neither UTF-8 nor GB18030 text. Save it as UTF-8.", path=path)


def _is_binary(data: bytes) -> bool:
    """Say whether bytes hold what no text holds: a NUL, or many control characters."""
    control = sum(data.count(code) for code in range(32) if code not in b"\t\n\v\f\r\x1b")
    return b"\0" in data or control * 50 > len(data)


def piece(text: str, path: str, offset: int, limit: int) -> str:
    """Return a piece of a text from a character on, with a last line that says how to go on.

    Raises:
        InvalidInput: `offset` lies behind its end.
    """
    if not text:
        return f"'{path}' is empty."
    if offset >= len(text):
        raise InvalidInput(f"'{path}' ends at character {len(text)}, before offset {offset}.", path=path)
    if offset == 0 and len(text) <= limit:
        return text
    end = min(len(text), offset + max(limit - 120, 1))
    onward = f"; go on with offset {end}" if end < len(text) else ", to the end"
    return f"{text[offset:end]}\n[characters {offset} to {end} of {len(text)}{onward}]"
