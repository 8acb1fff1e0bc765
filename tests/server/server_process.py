"""`motet serve` as a process that can be killed, over the graphs of `server_house`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def serve(project: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve in a folder whose `motet.toml` names the graphs; the process and its address. Killed at the end."""
    found = os.environ | {"PYTHONPATH": str(HERE), "PYTHONUNBUFFERED": "1"} | environment
    command = [sys.executable, "-m", "motet", "serve", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=found, cwd=project) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert address is not None, line + process.stderr.read()
            yield process, address[0]
        finally:
            process.kill()
