"""The filter, read as the kernel reads it: which calls it answers with what."""

import errno
import platform
import struct

import pytest

from motet.sandbox.seccomp import program, supported

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def decide(code: bytes, number: int, *arguments: int, arch: int) -> int:
    """Run a program as the kernel does: loads of words and jumps forward."""
    data = struct.pack("<IIQ", number, arch, 0) + b"".join(
        struct.pack("<Q", argument) for argument in (*arguments, *[0] * 6)[:6]
    )
    steps = list(struct.iter_unpack("<HBBI", code))
    place, value = 0, 0
    while True:
        what, yes, no, k = steps[place]
        match what:
            case 0x20:
                value, place = struct.unpack_from("<I", data, k)[0], place + 1
            case 0x15:
                place += 1 + (yes if value == k else no)
            case 0x35:
                place += 1 + (yes if value >= k else no)
            case 0x45:
                place += 1 + (yes if value & k else no)
            case 0x06:
                return k
            case _:
                raise AssertionError(what)


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    return request.param


def test_what_is_denied(machine: str) -> None:
    arch = X86_64 if machine == "x86_64" else AARCH64
    code = program()
    mount, clone, socket, ioctl, read, clone3 = (
        (165, 56, 41, 16, 0, 435) if machine == "x86_64" else (40, 220, 198, 29, 63, 435)
    )
    denied = 0x50000 | errno.EPERM
    assert decide(code, mount, arch=arch) == denied
    assert decide(code, read, arch=arch) == ALLOW
    assert decide(code, clone, 0x10000000, arch=arch) == denied
    assert decide(code, clone, 0x003D0F00, arch=arch) == ALLOW  # a thread
    assert decide(code, clone3, arch=arch) == 0x50000 | errno.ENOSYS
    assert decide(code, ioctl, 1, 0x5412, arch=arch) == denied
    assert decide(code, ioctl, 1, 0x541C, arch=arch) == denied
    assert decide(code, ioctl, 1, 0x5401, arch=arch) == ALLOW
    for family, verdict in ((1, ALLOW), (2, ALLOW), (10, ALLOW)):
        assert decide(code, socket, family, arch=arch) == verdict
    for family in (0, 16, 17, 38, 40):
        assert decide(code, socket, family, arch=arch) == 0x50000 | errno.EAFNOSUPPORT
    assert decide(code, read, arch=0x40000003) == KILL  # 32-bit calls have numbers of their own


def test_the_x32_abi_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert decide(program(), 0x40000000 | 165, arch=X86_64) == KILL


def test_other_machines_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not supported()
