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


def first_prompt_ms(variables: dict[str, str], folder: Path) -> tuple[float, float]:
    """Start `motet chat` at a terminal; return the milliseconds until its prompt is there, by the clock and of CPU."""
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
    used = os.wait4(pid, 0)[2]
    os.close(terminal)
    if PROMPT not in seen:
        raise RuntimeError(f"no prompt came: {seen[-300:]!r}")
    return took_ms, (used.ru_utime + used.ru_stime) * 1e3


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
            wall_ms, cpu_ms = first_prompt_ms(variables, folder)
            wall.setdefault("motet chat, first prompt", []).append(wall_ms)
            cpu.setdefault("motet chat, first prompt", []).append(cpu_ms)
    base, base_cpu = (min(of["import typer"][1:]) for of in (wall, cpu))
    heads = ("least ms", "median ms", "ratio", "CPU ms", "ratio", "bar ms")
    print(f"{'':<28}" + "".join(f"{head:>11}" for head in heads))
    for what, taken in wall.items():
        least, spent, bar = min(taken[1:]), min(cpu[what][1:]), BARS_MS.get(what)
        numbers = (least, statistics.median(taken[1:]), least / base, spent, spent / base_cpu)
        told = f"{bar:>11} {'yes' if least < bar else 'NO'}" if bar else ""
        print(f"{what:<28}" + "".join(f"{n:>11.{2 if n < 30 else 0}f}" for n in numbers) + told)


if __name__ == "__main__":
    main()
