"""Source code: a section for each definition at the outer level, and for each method of a Python class."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from motet.retrieval.base import HEADING_SEPARATOR, LoadedDocument, Section
from motet.retrieval.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_PARSED_CHARS = 1_000_000

# A line without indentation that begins a definition in most languages with braces; its last word before `(`, `{`,
# `=`, `:` or `<` is the name.
_DEFINITION = re.compile(
    r"^(?:export\s+|default\s+|pub(?:\([^)]{0,30}\))?\s+|public\s+|private\s+|protected\s+|static\s+|abstract\s+|final\s+"
    r"|async\s+|unsafe\s+|inline\s+)*"
    r"(?:class|struct|enum|union|trait|impl|interface|type|module|namespace|package|object|func|fn|function|def|sub"
    r"|const|let|var|create\s+(?:or\s+replace\s+)?(?:table|view|function|procedure|index|trigger))\s+"
    r"(?:\([^)]{0,80}\)\s*)?(?P<name>[\w$.:\"`]+)",
    re.IGNORECASE,
)
_C_FUNCTION = re.compile(r"^[A-Za-z_][\w\s*&:<>,~]{0,120}?\b(?P<name>[\w~]+)\s*\([^;]{0,400}$")


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load a program; its title is the file's name."""
    text = decode(data, path)
    cuts = list(_python(text) if path.suffix.lower() in {".py", ".pyi"} else _braces(text))
    sections: list[Section] = []
    start, heading = 0, ""
    for at, name in [*cuts, (len(text), "")]:
        if text[start:at].strip():
            sections.append(Section(text[start:at], start, heading))
        start, heading = at, name
    return LoadedDocument(text, path.name, sections)


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each definition begins and its name; nothing for what is no Python that can be parsed."""
    if len(text) > MAX_PARSED_CHARS:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield starts[_line(node) - 1], node.name
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield starts[_line(inner) - 1], f"{node.name}{HEADING_SEPARATOR}{inner.name}"
        end = starts[min(node.end_lineno or 0, len(starts) - 1)]
        yield end, ""


def _line(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _braces(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in text.splitlines(keepends=True):
        if line[:1].strip() and line[0] not in "#/*}{)-<@":
            found = _DEFINITION.match(line[:500]) or _C_FUNCTION.match(line[:500].rstrip())
            if found:
                yield at, found["name"].strip('"`')
        at += len(line)
