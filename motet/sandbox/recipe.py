"""What bubblewrap is told: an empty machine with a read-only system, no network, and little room.

What does not live here: starting it (`box`). Where a host differs, the recipe is refused and never weakened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INSIDE = "/box"
"""Where a program starts; its only folder besides /tmp that can be written."""
INPUTS = "/box/in"
"""Where its inputs are, read-only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one run may take."""

    wall_s: float = 10.0
    cpu_s: int = 5
    """Of each process."""
    memory_mb: int = 512
    """Address space of each process."""
    file_mb: int = 16
    """Largest file."""
    open_files: int = 128
    processes: int = 128
    output_bytes: int = 100_000
    """Of each of the two outputs; the run is ended when it writes more."""
    box_mb: int = 64
    tmp_mb: int = 32


_SYSTEM = tuple(
    word
    for line in (
        "--unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup --disable-userns",
        "--die-with-parent --new-session --clearenv --uid 65534 --gid 65534 --cap-drop ALL --hostname sandbox",
        "--ro-bind /usr /usr",
    )
    for word in line.split()
)


def arguments(
    limits: Limits,
    *,
    program_fd: int,
    seccomp_fd: int,
    inputs: Mapping[str, int],
    folders: Mapping[str, str],
    links: Sequence[tuple[str, str]],
) -> bytes:
    """Return bubblewrap's arguments, separated by NUL as `--args` wants them.

    Args:
        limits: The sizes of the places that can be written.
        program_fd: Descriptor that bubblewrap was started by.
        seccomp_fd: Descriptor of the filter of system calls.
        inputs: Descriptors of the contents by their names in `/box/in`.
        folders: Folders of the host by where they are seen, read-only.
        links: Links of the root, `("usr/lib", "/lib")`.
    """
    said = list(_SYSTEM)
    for target, place in links:
        said += ["--symlink", target, place]
    said += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    said += ["--size", str(4 << 20), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108  # the box's own
    said += ["--size", str(limits.tmp_mb << 20), "--tmpfs", "/tmp"]  # noqa: S108
    said += ["--size", str(limits.box_mb << 20), "--tmpfs", INSIDE]
    for place, folder in folders.items():
        said += ["--ro-bind", folder, place]
    for name, descriptor in inputs.items():
        said += ["--ro-bind-data", str(descriptor), f"{INPUTS}/{name}"]
    said += ["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", INSIDE, "--setenv", "LANG", "C.UTF-8"]
    said += ["--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--setenv", "OPENBLAS_NUM_THREADS", "1"]
    # What it would wait at it closes before it starts the program, which is to have none of these descriptors.
    said += ["--block-fd", str(program_fd)]
    said += ["--remount-ro", "/", "--chdir", INSIDE, "--seccomp", str(seccomp_fd)]
    return b"".join(word.encode() + b"\0" for word in said)


def awaited(argv: Sequence[str]) -> list[str]:
    """Return what becomes a program as soon as the box's first process has closed the folders of the host.

    Bubblewrap closes them in that process while it starts the program in another, which could look into the first's
    `/proc/1/fd` before. The host's `/proc` is among them.
    """
    held = 'held() { for each in /proc/1/fd/*; do [ ! -d "$each" ] || return 0; done; return 1; }'
    return ["/bin/sh", "-c", f'{held}; while held; do :; done; exec "$@"', "sh", *argv]


def limited(limits: Limits, program: str) -> str:
    """Return a shell's line that sets the limits and becomes a program; its own arguments go to it.

    Limits are set one by one: some shells take no more than one at once. `-p` counts processes in some, `-u` in others.
    """
    numbers = {
        "-t": limits.cpu_s,
        "-v": limits.memory_mb * 1024,
        "-f": limits.file_mb * 2048,  # in blocks of 512 bytes
        "-n": limits.open_files,
        "-c": 0,
    }
    lines = [f"ulimit {flag} {number}" for flag, number in numbers.items()]
    count = limits.processes
    lines.append(f"{{ ulimit -u {count} || ulimit -p {count}; }} 2>/dev/null")
    return f'{" && ".join(lines)} && exec {program} "$@"'
