"""Opening beneath a folder: nothing outside is ever opened, by either way, even while names change."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from motet.errors import InvalidInput, MotetError, NotFound, PermissionRefused
from motet.tools.beneath import open_beneath

pytestmark = pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "walk"])

SECRET = b"outside"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "root-secret").mkdir()
    (tmp_path / "root-secret" / "key.txt").write_bytes(SECRET)
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"inside")
    (root / "sub" / "deep" / "文.txt").write_bytes(b"inside")
    (root / "out").symlink_to(tmp_path / "secret.txt")
    (root / "outdir").symlink_to(tmp_path)
    (root / "relative").symlink_to("../secret.txt")
    (root / "inner").symlink_to("a.txt")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
    return root


@pytest.fixture
def root_fd(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def _read(root_fd: int, path: str, *, kernel: bool) -> bytes:
    with os.fdopen(open_beneath(root_fd, path, kernel=kernel), "rb") as file:
        return file.read()


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "sub/deep/文.txt", "sub//deep/./文.txt"])
def test_files_inside_are_opened(root_fd: int, kernel: bool, path: str) -> None:
    assert _read(root_fd, path, kernel=kernel) == b"inside"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../secret.txt", PermissionRefused),
        ("sub/../../secret.txt", PermissionRefused),
        ("sub/../a.txt", PermissionRefused),
        ("../root-secret/key.txt", PermissionRefused),
        ("/etc/passwd", PermissionRefused),
        ("//etc/passwd", PermissionRefused),
        ("out", PermissionRefused),
        ("relative", PermissionRefused),
        ("outdir/secret.txt", (PermissionRefused, NotFound)),
        ("outdir/../a.txt", PermissionRefused),
        ("inner", PermissionRefused),
        ("loop", PermissionRefused),
        ("a.txt\0.png", InvalidInput),
        ("", InvalidInput),
        ("\udc80", InvalidInput),
        ("x" * 5000, InvalidInput),
        (".", InvalidInput),
        ("sub", InvalidInput),
        ("sub/", InvalidInput),
        ("fifo", InvalidInput),
        ("socket", InvalidInput),
        ("missing.txt", NotFound),
        ("a.txt/b", NotFound),
        ("C:\\secret.txt", NotFound),
        ("..\\secret.txt", NotFound),
        ("%2e%2e/secret.txt", NotFound),
        ("~/secret.txt", NotFound),
    ],
)
def test_what_leads_out_or_is_no_file_is_refused(
    root_fd: int, kernel: bool, path: str, error: type[MotetError]
) -> None:
    with pytest.raises(error) as caught:
        open_beneath(root_fd, path, kernel=kernel)
    assert "\n" not in caught.value.message


@pytest.mark.skipif(not Path("/proc/self/root").exists(), reason="there is no /proc here")
def test_links_of_proc_lead_nowhere(kernel: bool) -> None:
    proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path in ("root/etc/passwd", "cwd", "exe", "fd/0"):
            with pytest.raises((PermissionRefused, InvalidInput, NotFound)):
                open_beneath(proc, path, kernel=kernel)
    finally:
        os.close(proc)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_another_file_system_is_not_entered(kernel: bool) -> None:
    slash = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(PermissionRefused):
            open_beneath(slash, "proc/uptime", kernel=kernel)
    finally:
        os.close(slash)


def test_no_descriptor_is_left_open(root_fd: int, kernel: bool) -> None:
    def probe() -> int:
        descriptor = os.dup(root_fd)
        os.close(descriptor)
        return descriptor

    before = probe()
    for path in ("fifo", "sub", "missing", "outdir/secret.txt", "sub/deep/missing"):
        with pytest.raises(MotetError):
            open_beneath(root_fd, path, kernel=kernel)
    os.close(open_beneath(root_fd, "sub/deep/文.txt", kernel=kernel))
    assert probe() == before


def test_a_race_of_renames_opens_nothing_outside(root: Path, root_fd: int, kernel: bool) -> None:
    """A folder and a link to the outside change places while the path is opened, over and over."""
    real, link = root / "swap", root / "swap-link"
    real.mkdir()
    (real / "secret.txt").write_bytes(b"inside")
    link.symlink_to(root.parent)
    stop = threading.Event()

    def swap() -> None:
        spare = root / "swap-spare"
        while not stop.is_set():
            real.rename(spare)
            link.rename(real)
            real.rename(link)
            spare.rename(real)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen: dict[bytes, int] = {}
    try:
        # How the two take turns is the machine's choice: until both were seen.
        deadline, tries = time.monotonic() + 60, 0
        while tries < 3000 or not (seen.get(b"inside") and seen.get(b"")):
            assert time.monotonic() < deadline, f"the race never went both ways in {tries} tries: {seen}"
            tries += 1
            try:
                content = _read(root_fd, "swap/secret.txt", kernel=kernel)
            except MotetError:
                content = b""
            seen[content] = seen.get(content, 0) + 1
    finally:
        stop.set()
        swapper.join()
    assert SECRET not in seen
