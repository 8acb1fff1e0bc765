"""The process that parses: reads one document after the other from stdin and answers each on stdout.

What does not live here: any format (`loaders`), and what happens when this process is killed (`process`). It ends
when its stdin ends. What a library prints goes nowhere, so that it cannot be taken for an answer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.retrieval.parse.limits import allow_cpu, lock_down, peak_bytes

if TYPE_CHECKING:
    from typing import BinaryIO

TIRED_SHARE = 0.5
"""A process that once needed this part of its memory is replaced: the next document shall have all of it."""


def main() -> int:
    """Serve until stdin ends; the first answer says that it is there.

    Arguments: address space in bytes, CPU seconds a document, the parent's process id (0 in the sandbox, which ends
    with its parent anyway).
    """
    memory_bytes, cpu_s, parent_pid = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    lock_down(memory_bytes, parent_pid)
    answers.write(_hello())
    answers.flush()
    os.dup2(nowhere, 2)
    while request := _next(source):
        allow_cpu(cpu_s)
        frame, fatal = _answer(*request, memory_bytes)
        del request
        answers.write(frame)
        answers.flush()
        if fatal:
            return 0
    return 0


def _hello() -> bytes:
    from motet.retrieval.parse.wire import encode  # noqa: PLC0415  # after the limits

    return encode({"ready": True})


def _next(source: BinaryIO) -> tuple[Path, bytes] | None:
    from motet.retrieval.parse.wire import PREFIX, decode_head  # noqa: PLC0415  # after the limits

    prefix = source.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    head_size, body_size = PREFIX.unpack(prefix)
    head = decode_head(source.read(head_size))
    return Path(head["path"]), source.read(body_size)


def _answer(path: Path, data: bytes, memory_bytes: int) -> tuple[bytes, bool]:
    """Return the frame, and whether this process should end after it."""
    from motet.errors import DocumentUnreadable  # noqa: PLC0415
    from motet.retrieval.load import load_document  # noqa: PLC0415
    from motet.retrieval.parse.wire import document_frame, encode  # noqa: PLC0415

    try:
        document = load_document(data, path)
        tired = peak_bytes() > memory_bytes * TIRED_SHARE
        return document_frame(document, tired=tired), tired
    except DocumentUnreadable as error:
        return encode({"refused": error.to_dict()}), False
    except MemoryError:
        return encode({"broken": "memory"}), True
    except Exception as error:  # noqa: BLE001  # an edge: whatever a library raises is this document's trouble
        return encode({"broken": _shown(error)}), True


def _shown(error: Any) -> str:
    return f"{type(error).__name__}: {error}"[:300]


if __name__ == "__main__":
    sys.exit(main())
