"""Who a worker is, and whether it is still there.

A worker's id names its machine, its boot, its process and when that process began, so that a worker of the same
machine that was killed is known to be gone at once, without waiting for its lease to end.
"""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path


def worker_id() -> str:
    """Return a new id for a worker of this process: `host/boot/pid/started/random`."""
    pid = os.getpid()
    return "/".join([socket.gethostname(), _boot(), str(pid), _started(pid), uuid.uuid4().hex[:8]])


def is_gone(worker: str) -> bool:
    """Say whether a worker's process has certainly ended; False for workers of other machines."""
    parts = worker.split("/")
    if len(parts) != 5 or parts[0] != socket.gethostname():
        return False
    if parts[1] != _boot():
        return True
    pid = int(parts[2])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(pid) != parts[3]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "-"


def _started(pid: int) -> str:
    """Return when a process began, in ticks since boot (field 22 of /proc/PID/stat); "-" where unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "-"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]
