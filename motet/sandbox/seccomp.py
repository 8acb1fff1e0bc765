"""The filter of system calls, as the kernel reads it: a classic BPF program.

What does not live here: who loads it (bubblewrap, from a descriptor). It denies; what it does not know is allowed,
inside namespaces that have no network, no privileges and no way to new ones.
"""

from __future__ import annotations

import errno
import platform
import struct

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NR, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24
"""Offsets in `struct seccomp_data`; of an argument the low half, on the little-endian machines below."""

_X32_BIT = 0x40000000
_NAMESPACES = 0x7E020080
"""Every CLONE_NEW* flag: NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
"""Types into a terminal."""
_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6; the others reach parts of the kernel that a network namespace does not hold."""

_MACHINES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "clone": 56, "clone3": 435, "socket": 41, "socketpair": 53, "ioctl": 16, "ptrace": 101, "syslog": 103,
            "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "acct": 163, "chroot": 161,
            "pivot_root": 155, "setns": 308, "unshare": 272, "process_vm_readv": 310, "process_vm_writev": 311,
            "bpf": 321, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 323,
            "add_key": 248, "request_key": 249, "keyctl": 250, "perf_event_open": 298, "init_module": 175,
            "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320, "mknod": 133,
            "mknodat": 259, "open_by_handle_at": 304, "name_to_handle_at": 303, "quotactl": 179, "kcmp": 312,
            "lookup_dcookie": 212, "move_pages": 279, "mbind": 237, "migrate_pages": 256, "settimeofday": 164,
            "clock_settime": 227, "adjtimex": 159, "sethostname": 170, "setdomainname": 171, "iopl": 172,
            "ioperm": 173, "vhangup": 153, "personality": 135, "open_tree": 428, "move_mount": 429, "fsopen": 430,
            "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
            "fanotify_init": 300, "uselib": 134, "modify_ldt": 154, "process_madvise": 440,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "clone": 220, "clone3": 435, "socket": 198, "socketpair": 199, "ioctl": 29, "ptrace": 117, "syslog": 116,
            "mount": 40, "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142, "acct": 89, "chroot": 51,
            "pivot_root": 41, "setns": 268, "unshare": 97, "process_vm_readv": 270, "process_vm_writev": 271,
            "bpf": 280, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 282,
            "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241, "init_module": 105,
            "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "mknodat": 33,
            "open_by_handle_at": 265, "name_to_handle_at": 264, "quotactl": 60, "kcmp": 272, "lookup_dcookie": 18,
            "move_pages": 239, "mbind": 235, "migrate_pages": 238, "settimeofday": 170, "clock_settime": 112,
            "adjtimex": 171, "sethostname": 161, "setdomainname": 162, "vhangup": 58, "personality": 92,
            "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
            "pidfd_getfd": 438, "mount_setattr": 442, "fanotify_init": 262, "process_madvise": 440,
        },
    ),
}  # fmt: skip
_LOOKED_AT = frozenset({"clone", "clone3", "socket", "socketpair", "ioctl"})
"""Calls that some arguments allow."""


def supported() -> bool:
    """Say whether the system calls of this kind of machine are known."""
    return platform.machine() in _MACHINES


def program() -> bytes:
    """Return the filter for this machine.

    Raises:
        KeyError: Its system calls are not known; see `supported`.

    Source: seccomp(2) and the kernel's tables of system calls.
    """
    arch, numbers = _MACHINES[platform.machine()]
    code = [_op(_LD, _ARCH), _op(_JEQ, arch, 1, 0), _op(_RET, _KILL), _op(_LD, _NR)]
    if platform.machine() == "x86_64":  # the other ABI has numbers of its own
        code += [_op(_JGE, _X32_BIT, 0, 1), _op(_RET, _KILL)]
    for name, number in numbers.items():
        if name not in _LOOKED_AT:
            code += [_op(_JEQ, number, 0, 1), _op(_RET, _ERRNO | errno.EPERM)]
    # Its flags are in memory, which no filter sees: the C library then takes clone.
    code += [_op(_JEQ, numbers["clone3"], 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]
    code += _when(numbers["clone"], _ARG0, [_op(_JSET, _NAMESPACES, 0, 1), _op(_RET, _ERRNO | errno.EPERM)])
    typed = [_op(_JEQ, _TIOCSTI, 1, 0), _op(_JEQ, _TIOCLINUX, 0, 1), _op(_RET, _ERRNO | errno.EPERM)]
    code += _when(numbers["ioctl"], _ARG1, typed)
    for name in ("socket", "socketpair"):
        checks = [_op(_JEQ, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)]
        code += _when(numbers[name], _ARG0, [*checks, _op(_RET, _ERRNO | errno.EAFNOSUPPORT)])
    return b"".join([*code, _op(_RET, _ALLOW)])


def _op(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, jump_true, jump_false, value)


def _when(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """Return code that looks at an argument of one call, and goes on with the call's number loaded again."""
    return [_op(_JEQ, number, 0, len(then) + 2), _op(_LD, argument), *then, _op(_LD, _NR)]
