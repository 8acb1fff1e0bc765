"""A Word file without its hidden text: nobody sees it, a model would read it.

What does not live here: reading the rest (`docx`).
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import tostring

if TYPE_CHECKING:
    from motet.retrieval.loaders.archive import Archive

_PARTS = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
_PICTURES = "word/media/"
_SHOWN = frozenset({"0", "false", "off"})


def without_hidden(data: bytes, archive: Archive) -> bytes:
    """Return a Word file without runs of hidden text; the same bytes where there are none.

    Source: ECMA-376-1, 17.3.2.41 (`vanish`).

    Raises:
        DocumentUnreadable: A part of it is broken, or declares entities.
    """
    changed: dict[str, bytes] = {}
    for name in _PARTS:
        if name in archive.names and b"vanish" in archive.read(name):
            root = archive.xml(name)
            _remove_hidden(root)
            changed[name] = tostring(root, encoding="utf-8")
    if not changed:
        return data
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in dict.fromkeys(name for name in archive.names if not name.startswith(_PICTURES)):
            made.writestr(name, changed[name] if name in changed else archive.read(name))
    return file.getvalue()


def _remove_hidden(root: Any) -> None:
    w = root.tag[: root.tag.rfind("}") + 1]
    for parent in list(root.iter()):
        for run in parent.findall(f"{w}r"):
            vanish = run.find(f"{w}rPr/{w}vanish")
            if vanish is not None and vanish.get(f"{w}val", "1") not in _SHOWN:
                parent.remove(run)
