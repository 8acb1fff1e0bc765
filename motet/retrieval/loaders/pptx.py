"""PowerPoint files: a section for each slide, its title as heading and its number as page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from motet.retrieval.loaders.archive import Archive
from motet.retrieval.loaders.assemble import Assembly
from motet.retrieval.loaders.library import from_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

MAX_DEPTH = 20
"""Groups inside of groups."""


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load the text of slides, tables and speaker's notes; the title is the file's own, or the first slide's.

    Raises:
        DocumentUnreadable: It is broken, built to do harm, or python-pptx is not installed.
    """
    archive = Archive(data, path)
    title = archive.property("docProps/core.xml", "title")
    made, first = Assembly(), ""
    with from_library("pptx", path) as pptx:
        for number, slide in enumerate(pptx.Presentation(io.BytesIO(data)).slides, 1):
            head = slide.shapes.title
            heading = " ".join(head.text_frame.text.split())[:200] if head is not None else ""
            first = first or heading
            lines = [text for shape in _shapes(slide.shapes, 0) for text in _texts(shape)]
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                lines.append(slide.notes_slide.notes_text_frame.text)
            made.add("\n".join(line for line in lines if line.strip()), heading, number)
    return made.document("" if title == "PowerPoint Presentation" else title or first)


def _shapes(shapes: Iterable[Any], depth: int) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            if depth < MAX_DEPTH:
                yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _texts(shape: Any) -> Iterator[str]:
    if getattr(shape, "has_table", False):
        for row in shape.table.rows:
            yield "| " + " | ".join(" ".join(cell.text.split()) for cell in row.cells) + " |"
    elif shape.has_text_frame:
        yield shape.text_frame.text
