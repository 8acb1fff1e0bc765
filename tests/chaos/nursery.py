"""Starts the programs under test quickly: it loads the libraries once, and each program is a fork of it.

    python -m tests.chaos.nursery

Reads a JSON line per program, `{"program": "tests.chaos.server", "arguments": […], "env": {…}, "log": PATH}`, and
answers `{"pid": n}`; when a program ends, it says `{"ended": pid, "code": c}`. At the end of its input it kills
what still runs, and goes.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import traceback
from importlib import import_module
from typing import Any

PRELOAD = (
    "langchain_openai",
    "langgraph.checkpoint.sqlite.aio",
    "motet.app",
    "motet.graphs.chat",
    "motet.graphs.ensemble",
    "motet.memory.checkpoints",
    "motet.memory.store",
    "motet.models.openai",
    "motet.runs.execute",
    "motet.runs.worker",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "tests.chaos.plain",
    "tests.chaos.server",
    "tests.chaos.tools",
)


def start(order: dict[str, Any]) -> int:
    """Fork a program; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.environ.update(order["env"])
        import_module(order["program"]).main(order["arguments"])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOAD:
        import_module(name)
    gc.freeze()
    tell({"ready": os.getpid()})
    running: dict[int, int] = {}
    commands = sys.stdin.buffer.raw  # pyright: ignore[reportAttributeAccessIssue]  # unbuffered: select sees every line
    waiting = b""
    while True:
        ready, _, _ = select.select([0, *running], [], [])
        if 0 in ready:
            read = commands.read(65536)
            if not read:
                break
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                pid = start(json.loads(line))
                running[os.pidfd_open(pid)] = pid
                tell({"pid": pid})
        for handle in [h for h in ready if h]:
            pid = running.pop(handle)
            os.close(handle)
            _, status = os.waitpid(pid, 0)
            tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})
    for pid in running.values():
        os.kill(pid, signal.SIGKILL)


def tell(answer: dict[str, Any]) -> None:
    """Write an answer."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
