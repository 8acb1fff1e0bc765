"""The real command with the scripted model, in a process of its own, for tests of streams, statuses and signals."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

from motet.settings import child_environment

SCRIPT = """
rules:
  - user: "^slow"
    reply:
      text: "第一段，写得很慢。\\n\\nThe second paragraph is written word by word and goes on."
      piece_delay_s: 0.4
  - user: "thirty batteries"
    reply: {tool: calculator, arguments: {expression: "12*30"}}
  - after: calculator
    reply: "They hold **360 kWh**.\\n\\n- 12 kWh each\\n- 共三十块\\n"
  - user: "wrong key"
    reply: {fault: auth}
  - user: "what did I say"
    reply: "You said something before."
default: "Hello, 你好。"
"""


class Motet:
    """A home of its own, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        (folder / "script.yaml").write_text(SCRIPT, "utf-8")
        self.environment = {
            name: value
            for name, value in child_environment().items()
            if not name.startswith(("MOTET_", "OPENAI_")) and name != "NO_COLOR"
        } | {
            "MOTET_HOME": str(self.home),
            "MOTET_CONFIG": str(folder / "none.toml"),
            "MOTET_MODEL": f"scripted:{folder / 'script.yaml'}",
            "MOTET_MODEL_EMBED": "none",
            "MOTET_GRAPH": "chat",
        }

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "motet"]

    def run(self, *arguments: str, piped: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return subprocess.run(
            [*self.command, *arguments],
            input=piped,
            stdin=subprocess.DEVNULL if piped is None else None,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=self.folder,
            timeout=120,
        )

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end in this process: what needs no process of its own need not wait for one."""
        from motet.cli.entry import run

        out, err = io.StringIO(), io.StringIO()
        before, folder = dict(os.environ), Path.cwd()
        try:
            os.environ.clear()
            os.environ.update(self.environment)
            os.chdir(self.folder)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = run(arguments)
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, piped: bool = False) -> subprocess.Popen[str]:
        """Start the command, with a pipe to its standard input if asked for."""
        return subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )

    def wait_for_text(self, run_count: int = 1) -> None:
        """Wait until the newest of `run_count` runs has begun to write its answer."""
        import sqlite3

        end = time.monotonic() + 90
        while time.monotonic() < end:
            time.sleep(0.05)
            if not (self.home / "motet.db").exists():
                continue
            connection = sqlite3.connect(f"file:{self.home / 'motet.db'}?mode=ro", uri=True)
            try:
                query = "select count(distinct run_id) from events where event like '%message.delta%'"
                if connection.execute(query).fetchone()[0] >= run_count:
                    return
            except sqlite3.OperationalError:
                continue  # the tables are not there yet
            finally:
                connection.close()
        raise AssertionError("no run began to write")
