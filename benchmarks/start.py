"""How long the command takes to start, as a ratio to `python -c "import typer"` in the same rounds.

make bench-start [ROUNDS=15]
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import rusage_of
from motet.settings import child_environment

BARS_MS = {"motet --help": 150, "motet threads list": 150, "motet chat, first prompt": 300}
"""On an idle machine with two cores."""

PROMPT_S = 60


def first_prompt_ms(variables: dict[str, str], folder: Path) -> float:
    """Start `motet chat` at a terminal; return the milliseconds until its prompt is there."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "motet", "chat"]
        os.execve(command[0], command, child_environment(**variables))  # noqa: S606  # the child of pty.fork
    seen, until = b"", time.monotonic() + PROMPT_S
    try:
        while PROMPT not in seen and time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 65536)
                if b"\x1b[6n" in seen:  # a terminal is asked where its cursor is, and answers
                    os.write(terminal, b"\x1b[1;1R")
                    seen = seen.replace(b"\x1b[6n", b"")
    except OSError:
        pass
    took_ms = (time.perf_counter() - began) * 1e3
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(terminal)
    if PROMPT not in seen:
        raise RuntimeError(f"no prompt came: {seen[-300:]!r}")
    return took_ms


PROMPT = "›".encode()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    wall: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    motet = [sys.executable, "-m", "motet"]
    commands = {
        "import typer": [sys.executable, "-c", "import typer"],
        "motet --help": [*motet, "--help"],
        "motet threads list": [*motet, "threads", "list"],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.yaml").write_text("default: Yes.\n", "utf-8")
        variables = {
            "MOTET_HOME": str(folder / "home"),
            "MOTET_MODEL": f"scripted:{folder / 'script.yaml'}",
            "MOTET_MODEL_EMBED": "none",
            "MOTET_CONFIG": str(folder / "none.toml"),
            "TERM": "xterm",
        }
        for _ in range(options.rounds + 1):  # the first one compiles
            for what, command in commands.items():
                wall_ms, cpu_ms = rusage_of(command, folder, **variables)
                wall.setdefault(what, []).append(wall_ms)
                cpu.setdefault(what, []).append(cpu_ms)
            wall.setdefault("motet chat, first prompt", []).append(first_prompt_ms(variables, folder))
    base = min(wall["import typer"][1:])
    print(f"{'':<28}{'least ms':>10}{'median ms':>11}{'CPU ms':>8}{'ratio':>7}{'bar ms':>8}")
    for what, taken in wall.items():
        least, spent = min(taken[1:]), f"{min(cpu[what][1:]):.0f}" if what in cpu else "-"
        bar = BARS_MS.get(what)
        told = f"{bar:>8} {'yes' if least < bar else 'NO'}" if bar else ""
        median = statistics.median(taken[1:])
        print(f"{what:<28}{least:>10.0f}{median:>11.0f}{spent:>8}{least / base:>7.2f}{told}")


if __name__ == "__main__":
    main()
