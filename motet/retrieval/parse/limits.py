"""What a parsing process takes away from itself before it reads anything.

What does not live here: the clock and the cap on its output, which its parent holds. Nothing of Motet is imported
here but plain words: it runs before everything else. On systems without these calls (Windows) the parent's limits
are all there are.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
"""From Linux's `sched.h`."""
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
"""From Linux's `sys/prctl.h`."""

MAX_OPEN_FILES = 64
MAX_FILE_BYTES = 0
"""It may write pipes, and no file."""


def lock_down(
    memory_bytes: int,
    parent_pid: int,
    *,
    file_bytes: int = MAX_FILE_BYTES,
    open_files: int = MAX_OPEN_FILES,
) -> None:
    """Take memory, files, privileges and, where the kernel allows it, the network away for good.

    On Linux the process dies with its parent, unless that is 0: inside of the sandbox it is another one.
    """
    _without_rights(parent_pid)
    resource = _resource()
    if resource is None:
        return
    limits = [
        ("RLIMIT_AS", memory_bytes),
        ("RLIMIT_FSIZE", file_bytes),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", open_files),
    ]
    for name, most in limits:
        if hasattr(resource, name):
            _lower(resource, getattr(resource, name), most)


def allow_cpu(seconds: float) -> None:
    """Let this process use so many CPU seconds from now on; the kernel ends it after them."""
    resource = _resource()
    if resource is None:
        return
    until = math.ceil(time.process_time() + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def peak_bytes() -> int:
    """Return the most memory that this process had so far; 0 where nobody can tell.

    On Linux `getrusage` begins with what the process had that started this one, which may be large.
    Source: `setmax_mm_hiwater_rss` in Linux's `fs/exec.c`.
    """
    with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
        told = Path("/proc/self/status").read_bytes().splitlines()
        return next(int(line.split()[1]) * 1024 for line in told if line.startswith(b"VmHWM:"))
    resource = _resource()
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _lower(resource: Any, kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):  # a kernel that has no such limit (RLIMIT_AS on macOS)
        resource.setrlimit(kind, (most, most))


def _without_rights(parent_pid: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid and os.getppid() != parent_pid:
        os._exit(1)  # the parent was gone before the kernel was told
    libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)  # an empty network; refused in some containers
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _resource() -> Any:
    try:
        import resource  # noqa: PLC0415  # Unix only
    except ImportError:
        return None
    return resource
