"""Memory that was freed goes back to the system."""

import platform
from pathlib import Path

import pytest

from motet.runs.freed import Freed, trim

glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back when asked"
)


def rss_mib() -> float:
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


@glibc
def test_what_was_freed_between_what_is_kept_goes_back() -> None:
    pieces = [bytes(6000) for _ in range(20_000)]
    kept = pieces[::50]
    del pieces
    before = rss_mib()
    assert trim()
    assert rss_mib() < before - 50  # of 117 MiB that were freed
    assert len(kept) == 400


@glibc
async def test_it_is_done_now_and_then() -> None:
    seldom, always = Freed(pause_s=3600), Freed(pause_s=0)
    assert not await seldom.give_back()
    pieces = [bytes(6000) for _ in range(2000)]
    del pieces[::2]
    assert await always.give_back()
    assert len(pieces) == 1000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.runs.freed.ctypes.CDLL", lambda _: object())
    assert not trim()
