"""Writing, editing, listing and searching files inside the one folder that the settings allow.

What does not live here: opening a path safely (`beneath`), and reading (`read_file`).
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
import secrets
import stat
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from motet.errors import InvalidInput, MotetError, NotFound, PermissionRefused
from motet.tools.beneath import SUPPORTED, open_beneath
from motet.tools.read_file import allowed_folder, decode, encoding_of, read_bytes
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

MAX_WRITE_CHARS = 1_000_000
_LISTED, _FOUND, _SEEN, _DEPTH = 200, 50, 5000, 12
_ENDIAN = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""A mark and what stands behind it: Python by itself writes the order of this machine."""


class WriteArguments(BaseModel):
    """What `write_file` is given."""

    path: str = Field(description="File to write, relative to the allowed folder, e.g. notes/today.md")
    content: str = Field(description="The whole new content", max_length=MAX_WRITE_CHARS)


class EditArguments(BaseModel):
    """What `edit_file` is given."""

    path: str = Field(description="File to change, relative to the allowed folder")
    old: str = Field(
        description="The piece to replace, word for word; it must stand there once", min_length=1
    )
    new: str = Field(description="What stands there instead", max_length=MAX_WRITE_CHARS)


class ListArguments(BaseModel):
    """What `list_files` is given."""

    path: str = Field(default=".", description="Folder to list, '.' for all")
    pattern: str = Field(default="*", description="Only names like this, e.g. *.md", max_length=200)


class SearchArguments(BaseModel):
    """What `search_files` is given."""

    text: str = Field(description="Words to look for, as they stand in a line", min_length=1, max_length=400)
    path: str = Field(default=".", description="Folder to search in")
    pattern: str = Field(default="*", description="Only files like this, e.g. *.md", max_length=200)


def build_write(context: ToolContext) -> BaseTool | None:
    """Build `write_file`; None unless files may be written."""
    root = _root(context, writes=True)
    if root is None:
        return None

    async def write_file(path: str, content: str) -> str:
        await asyncio.to_thread(write_text, root, path, content)
        return f"'{path}' is written: {len(content)} characters."

    return as_tool(
        write_file,
        name="write_file",
        description="Write a text file in the allowed folder; what was in it is replaced.",
        arguments=WriteArguments,
        access="write",
        effect="idempotent",
        extra={"trust": "trusted"},
    )


def build_edit(context: ToolContext) -> BaseTool | None:
    """Build `edit_file`; None unless files may be written."""
    root = _root(context, writes=True)
    if root is None:
        return None

    async def edit_file(path: str, old: str, new: str) -> str:
        await asyncio.to_thread(edit_text, root, path, old, new)
        return f"'{path}' is changed."

    return as_tool(
        edit_file,
        name="edit_file",
        description="Replace one piece of a text file in the allowed folder.",
        arguments=EditArguments,
        access="write",
        effect="once",
        extra={"trust": "trusted"},
    )


def build_list(context: ToolContext) -> BaseTool | None:
    """Build `list_files`; None where no folder is allowed."""
    root = _root(context)
    if root is None:
        return None

    async def list_files(path: str = ".", pattern: str = "*") -> str:
        names = await asyncio.to_thread(lambda: list(_names(root, path, pattern)))
        more = "\n… and more; name a folder or a pattern" if len(names) > _LISTED else ""
        return "\n".join(names[:_LISTED]) + more if names else f"No file in '{path}' is like '{pattern}'."

    return as_tool(
        list_files,
        name="list_files",
        description="List the files of the allowed folder and those below.",
        arguments=ListArguments,
        access="read",
    )


def build_search(context: ToolContext) -> BaseTool | None:
    """Build `search_files`; None where no folder is allowed."""
    root = _root(context)
    if root is None:
        return None
    limit = context.settings.max_output_chars

    async def search_files(text: str, path: str = ".", pattern: str = "*") -> str:
        lines = await asyncio.to_thread(lambda: list(_search(root, text, path, pattern)))
        return cut("\n".join(lines), limit) if lines else f"'{text}' stands in no file of '{path}'."

    return as_tool(
        search_files,
        name="search_files",
        description="Find lines with certain words in the text files of the allowed folder.",
        arguments=SearchArguments,
        access="read",
    )


def _root(context: ToolContext, *, writes: bool = False) -> Path | None:
    if not context.settings.files_root or not SUPPORTED or (writes and not context.settings.files_write):
        return None
    return allowed_folder(context.settings)


def write_text(root: Path, path: str, content: str) -> None:
    """Write a whole file beneath `root`, or nothing of it. Folders on the way are made.

    Raises:
        InvalidInput: The path is a folder or no path.
        PermissionRefused: It leads out, or what stands there is no plain file or has another name elsewhere.
    """
    write_bytes(root, path, content.encode("utf-8", "replace"))


def write_bytes(root: Path, path: str, data: bytes) -> None:
    """Write a whole file as `write_text` does; one that is there keeps who may read, write and run it."""
    folders, _, name = path.rpartition("/")
    with _folder(root, folders or ".", make=True) as folder:
        _check_name(name, path)
        mode = _check_target(folder, name, path)
        temporary = f".{secrets.token_hex(8)}.part"
        descriptor = os.open(
            temporary,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o644,
            dir_fd=folder,
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                if mode is not None:
                    os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


def edit_text(root: Path, path: str, old: str, new: str) -> None:
    """Replace one piece of a file; its encoding, its lines' ends and its rights stay as they are.

    Raises:
        InvalidInput: The piece stands there not at all, or more than once.
        NotFound: There is no such file.
        PermissionRefused: The path leads out of the folder.
    """
    data = read_bytes(root, path)
    encoding = encoding_of(data, path)
    text = data.decode(encoding)
    # An agent is shown, and writes, lines that end in one newline: the file's own ends are found all the same.
    piece = re.compile(r"\r?\n".join(map(re.escape, old.replace("\r\n", "\n").split("\n"))))
    count = sum(1 for _ in piece.finditer(text))
    if count != 1:
        found = "not in it" if not count else f"in it {count} times"
        raise InvalidInput(
            f"The piece to replace is {found}: '{cut(old, 80)}'. Give more of the lines around it."
        )
    ends = "\r\n" if "\r\n" in text else "\n"
    lines = new.replace("\r\n", "\n").replace("\n", ends)
    changed = piece.sub(lambda _: lines, text)
    mark = next((mark for mark in _ENDIAN if data.startswith(mark)), b"")
    write_bytes(root, path, mark + changed.encode(_ENDIAN.get(mark, encoding), "replace"))


@contextlib.contextmanager
def _folder(root: Path, path: str, *, make: bool = False) -> Iterator[int]:
    """Give the open folder at a path beneath the root; made where it is missing, step by step."""
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            descriptor = open_beneath(root_fd, path, folder=True)
        except NotFound:
            if not make:
                raise
            _make(root_fd, path)
            descriptor = open_beneath(root_fd, path, folder=True)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        os.close(root_fd)


def _make(root_fd: int, path: str) -> None:
    names = [name for name in path.split("/") if name not in ("", ".")]
    for depth, name in enumerate(names):
        above = open_beneath(root_fd, "/".join(names[:depth]) or ".", folder=True)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=above)
        finally:
            os.close(above)


def _check_name(name: str, path: str) -> None:
    if name in ("", ".", "..") or "\0" in name or len(name.encode("utf-8", "replace")) > 255:
        raise InvalidInput(
            f"'{cut(path, 80)}' names no file. Write a path such as notes/today.md.", path=path
        )
    if any(not character.isprintable() for character in name):
        raise InvalidInput("The file's name holds characters that cannot be seen.", path=path)


def _check_target(folder: int, name: str, path: str) -> int | None:
    """Return the rights of the file that is there, None where there is none; refuse what is no plain file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise InvalidInput(f"'{path}' is a folder. Name a file.", path=path)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise PermissionRefused(f"'{path}' is no file of this folder alone: it is not written.", path=path)
    return stat.S_IMODE(found.st_mode) & 0o777


def _names(root: Path, path: str, pattern: str) -> Iterator[str]:
    """Yield files below a folder, in order, hidden ones and links left out."""
    prefix = "" if path in (".", "", "./") else path.strip("/") + "/"
    todo, seen, count = [(prefix, 0)], 0, 0
    while todo:
        here, depth = todo.pop()
        with _folder(root, here or ".") as folder, os.scandir(folder) as entries:
            rows = (
                (entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries
            )
            found = sorted(rows)
        for name, is_folder, is_link in found:
            seen += 1
            if seen > _SEEN or count > _LISTED:
                return
            if name.startswith(".") or is_link:
                continue
            if is_folder:
                if depth < _DEPTH:
                    todo.append((f"{here}{name}/", depth + 1))
            elif fnmatchcase(name, pattern) or fnmatchcase(f"{here}{name}", pattern):
                count += 1
                yield f"{here}{name}"


def _search(root: Path, text: str, path: str, pattern: str) -> Iterator[str]:
    wanted = re.compile(re.escape(text), re.IGNORECASE)
    found = 0
    for name in _names(root, path, pattern):
        try:
            content = decode(read_bytes(root, name), name)
        except MotetError:
            continue
        for number, line in enumerate(content.splitlines(), start=1):
            if wanted.search(line):
                found += 1
                yield f"{name}:{number}: {cut(line.strip(), 200)}"
                if found >= _FOUND:
                    return
