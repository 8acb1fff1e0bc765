import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from motet.sandbox import stage
from motet.sandbox.box import Sandbox
from motet.settings import SandboxSettings

PROBLEM = asyncio.run(Sandbox(SandboxSettings()).problem())
needs_root = pytest.mark.skipif(
    bool(PROBLEM) or os.geteuid() != 0, reason="only root needs it, and a sandbox"
)


def test_where_it_is_not_needed_nothing_is_put_in_front(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert stage.build_stage([tmp_path / "a"], None) == stage.Stage([], [str(tmp_path / "a")], None)
    assert stage.build_stage([Path("/usr/lib")], 60_000) == stage.Stage([], ["/usr/lib"], 60_000)


def test_a_folder_below_a_closed_one_is_put_where_it_can_be_found(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "a").mkdir(parents=True)
    closed.chmod(0o700)
    way = stage.build_stage([Path("/usr"), closed / "a"], 60_000)
    assert way.uid is None
    assert list(way.shown) == ["/tmp/0", "/tmp/1"]
    assert list(way.before[-4:]) == ["60000", "2", "/usr", str((closed / "a").resolve())]


@needs_root
async def test_the_box_shows_a_folder_below_a_closed_one_to_its_user_who_is_not_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "open").mkdir(parents=True)
    (closed / "open" / "x").write_text("inside", "utf-8")
    (closed / "secret").write_text("outside", "utf-8")
    closed.chmod(0o700)
    folder = closed / "open"
    code = f"cat {folder}/x; ls {closed}; ls {folder}/..; id -u; grep CapEff: /proc/self/status; echo > {folder}/y"
    ran = await Sandbox(SandboxSettings()).run(["/bin/sh", "-c", code], folders={str(folder): folder})
    assert ran.stdout.decode().split() == ["insideopen", "open", "65534", "CapEff:", "0" * 16]
    assert "Read-only file system" in ran.stderr.decode()


@needs_root
def test_what_cannot_be_shown_is_said_and_nothing_is_run(tmp_path: Path) -> None:
    words = ["60000", "1", str(tmp_path / "gone"), "/bin/sh", "-c", "echo ran"]
    ran = subprocess.run(
        [sys.executable, "-I", "-S", stage.__file__, *words], capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (126, b"")
    assert "cannot be shown to user 60000" in ran.stderr.decode()
