"""Libraries that read a format and are extras of Motet's: imported when a file needs one.

What does not live here: any format. A library that fails on a file is that file's trouble, whatever it raises.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from motet.errors import MotetError
from motet.retrieval.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def from_library(module: str, path: Path) -> Iterator[Any]:
    """Give the module; what it raises inside becomes one typed error.

    Raises:
        DocumentUnreadable: It is not installed, with what to install; or it cannot read the file.
    """
    try:
        library = import_module(module)
    except ImportError:
        raise unreadable(
            path,
            f"files with the ending '{path.suffix}' need {module}",
            'Install it: pip install "motet[docs]".',
        ) from None
    try:
        yield library
    except (MotetError, MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001  # an edge: these libraries raise KeyError as well as their own
        reason = f"{type(error).__name__}: {error}"[:200]
        raise unreadable(
            path, f"it is broken ({reason})", "Save it again with the program that made it."
        ) from None
