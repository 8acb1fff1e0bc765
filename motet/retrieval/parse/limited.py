"""Runs another program under a parsing process's limits: takes them on, then becomes it.

Arguments: address space in bytes, CPU seconds, the parent's process id, then the program and its arguments.
"""

from __future__ import annotations

import os
import sys

from motet.retrieval.parse.limits import allow_cpu, lock_down

MAX_FILE_BYTES = 256_000_000
"""Programs that convert write files of their own, into a folder that is deleted after them."""

MAX_OPEN_FILES = 1_024


def main() -> None:
    """Become the program; status 127 when it cannot be started."""
    memory_bytes, cpu_s, parent_pid = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    lock_down(memory_bytes, parent_pid, file_bytes=MAX_FILE_BYTES, open_files=MAX_OPEN_FILES)
    allow_cpu(cpu_s)
    try:
        os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606  # the operator's own command, from their settings
    except OSError:
        os._exit(127)


if __name__ == "__main__":
    main()
