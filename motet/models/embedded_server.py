"""One llama.cpp server in a child process, shared by all threads and event loops of this one.

What does not live here: which weights are served, and what is made of its answers (`embedded`).

The child is started by a thread that lives as long as the child: Linux kills the child when the *thread* that
started it ends, and a thread of an event loop's pool ends with its loop.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from motet.errors import ModelUnavailable
from motet.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.settings import Settings

log = logging.getLogger(__name__)

CACHE_RAM_MIB = 512
"""Prompts that stay readable after another one took their slot; about 18,000 tokens of the 1.5B model."""
VERBOSITY = {"debug": 3}
"""Of llama.cpp's log by Motet's own level: 3 adds the times of every call. Prompts are in neither."""
LOG_BYTES = 1 << 20
"""A log longer than this is put aside (`.1`) at the next start."""
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server answers, and with which key."""

    base_url: str
    """`http://127.0.0.1:PORT/v1`"""
    port: int
    api_key: str = field(repr=False)


class EmbeddedServer:
    """The server of one GGUF file. Nothing runs until `start()`; `stop()` it at the end.

    Its address stays the same when it has to be started again, as long as nobody took its port.
    """

    def __init__(self, name: str, locate: Callable[[], Path], settings: Settings) -> None:
        """Keep what is needed to start.

        Args:
            name: The model's name.
            locate: Returns the path of the checked weights, or raises; called in a thread before every start.
            settings: All settings.
        """
        self._name = name
        self._locate = locate
        self._settings = settings
        self._api_key = secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._port = 0
        self._stopped = False

    @property
    def pid(self) -> int:
        """The child's process id; 0 when none runs."""
        child = self._child
        return child.pid if child and child.lives() else 0

    @property
    def log_path(self) -> Path:
        """Where the child's log goes."""
        return self._settings.storage.home / "logs" / "embedded.log"

    async def start(self) -> Address:
        """Return the address of the running server, started when there is none or it has died.

        May be called from any event loop, by many at once: they share one child.

        Raises:
            ModelUnavailable: It does not start, or not in time, or was stopped.
            WeightsError: Its file is missing or has a wrong checksum.
        """
        child = self._child
        if child is None or not child.lives():
            child = await asyncio.to_thread(self._ensure)
        try:
            async with asyncio.timeout(self._settings.embedded.start_timeout_s):
                url = await asyncio.wrap_future(child.ready)
        except TimeoutError:
            await asyncio.to_thread(child.stop)
            raise self._too_late() from None
        return self._address(url)

    def start_sync(self) -> Address:
        """Do what `start` does, on a thread without an event loop."""
        child = self._ensure()
        try:
            return self._address(child.ready.result(self._settings.embedded.start_timeout_s))
        except TimeoutError:
            child.stop()
            raise self._too_late() from None

    def stop(self) -> None:
        """End the child for good. A second call does nothing."""
        with self._lock:
            child, self._child, self._stopped = self._child, None, True
        atexit.unregister(self.stop)
        if child:
            child.stop()

    def _ensure(self) -> _Child:
        with self._lock:
            if self._stopped:
                raise ModelUnavailable("The embedded model was shut down.", model=self._name)
            if self._child is None:
                atexit.register(self.stop)
            elif self._child.lives():
                return self._child
            else:
                log.warning("the embedded model's process %s has ended; it is started again", self._child.pid)
            weights = self._locate()
            self._child = _Child(self._parameters(weights), self._environment(), self.log_path)
            return self._child

    def _address(self, url: str) -> Address:
        self._port = urlsplit(url).port or 0
        return Address(f"{url}/v1", self._port, self._api_key)

    def _too_late(self) -> ModelUnavailable:
        return ModelUnavailable(
            f"The embedded model did not load in {self._settings.embedded.start_timeout_s:g} s (log: "
            f"{self.log_path}). A busy machine may need MOTET_EMBEDDED_START_TIMEOUT_S to be longer.",
            model=self._name,
        )

    def _parameters(self, weights: Path) -> dict[str, Any]:
        embedded = self._settings.embedded
        return {
            "parent_pid": os.getpid(),
            "name": self._name,
            "weights": str(weights),
            "port": self._port,
            "api_key": self._api_key,
            "slots": embedded.slots,
            "context_tokens": embedded.context_tokens,
            "threads": embedded.threads or _cores(),
            "cache_ram_mib": CACHE_RAM_MIB,
            "verbosity": VERBOSITY.get(self._settings.log.level, 2),
        }

    def _environment(self) -> dict[str, str]:
        return child_environment(OMP_WAIT_POLICY=self._settings.embedded.omp_wait_policy)


class _Child:
    """One child process and the thread that keeps it."""

    def __init__(self, parameters: dict[str, Any], environment: dict[str, str], log_path: Path) -> None:
        self.ready: Future[str] = Future()
        """The server's URL, or why there is none."""
        self.ready.set_running_or_notify_cancel()
        self.pid = 0
        self._parameters = parameters
        self._environment = environment
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._spawned = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="motet-embedded", daemon=True)
        self._thread.start()

    def lives(self) -> bool:
        """Say whether the child runs, or is about to."""
        process = self._process
        return self._thread.is_alive() and (process is None or process.poll() is None)

    def stop(self) -> None:
        """Kill the child (it holds nothing that must be saved) and wait for its end."""
        self._spawned.wait(STOP_TIMEOUT_S)
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._thread.join(STOP_TIMEOUT_S)

    def _keep(self) -> None:
        """Start the child, say when it is ready, and wait for its end."""
        try:
            with _open_log(self._log_path) as stderr:
                start = stderr.tell()
                code = self._run(stderr)
                words = _last_words(self._log_path, start)
        except OSError as error:
            self._fail(f"The embedded model's process cannot be started: {error}")
        else:
            self._fail(f"The embedded model's process ended ({_ending(code)}). {words}")
        finally:
            self._spawned.set()

    def _run(self, stderr: Any) -> int:
        script = Path(__file__).with_name("embedded_child.py")
        with subprocess.Popen(  # noqa: S603  # this Python, our file
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=self._environment,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent alone
        ) as process:
            self._process, self.pid = process, process.pid
            self._spawned.set()
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(self._parameters).encode() + b"\n")
                process.stdin.flush()
            for line in process.stdout:
                if line.startswith(b"READY ") and not self.ready.done():
                    self.ready.set_result(line.split()[1].decode())
            return process.wait()

    def _fail(self, message: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(
                ModelUnavailable(f"{message} (log: {self._log_path})", model=self._parameters["name"])
            )


def _cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _open_log(path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(path: Path, start: int) -> str:
    """Return the last line of a log after byte `start`."""
    with path.open("rb") as stream:
        stream.seek(start)
        lines = stream.read().decode("utf-8", "replace").split("\n")
    words = [line.strip() for line in lines if line.strip()]
    return f"Its last words: {words[-1][:300]}" if words else "It said nothing"
