"""The size ratchet: how long the longest module and the longest function are may only fall.

`python -m scripts.sizes` compares with tests/sizes.json and fails where something grew; `--tighten` writes down
what has become smaller. Nothing but an edit by hand, seen in review, can raise a number.
"""

from __future__ import annotations

import ast
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "sizes.json"
FOLDERS = ("motet", "scripts")
EXEMPT = "motet/storage/migrations/versions/"
"""A step between two versions of the database is a list, and is never changed once it was published."""
LONG = 60
"""A function of more lines is long."""
CAPS = {"module_lines": 600.0, "function_lines": 80.0, "long_function_share": 0.01}
"""What no recorded number may pass."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method, with its lines from `def` to its end, docstring included."""

    name: str
    """`path:line name`."""
    lines: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """What was measured."""

    modules: dict[str, int]
    """Lines by path."""
    functions: list[Function]

    def numbers(self) -> dict[str, float]:
        """Return the three numbers of the ratchet; the share is rounded up to the fourth decimal."""
        long = sum(function.lines > LONG for function in self.functions)
        share = math.ceil(10_000 * long / max(len(self.functions), 1)) / 10_000
        longest = max((function.lines for function in self.functions), default=0)
        return {
            "module_lines": max(self.modules.values(), default=0),
            "function_lines": longest,
            "long_function_share": share,
        }

    def culprits(self, limits: dict[str, float]) -> list[str]:
        """Name what is longer than `limits` allow, longest first."""
        modules = [
            (n, f"{path}: {n} lines") for path, n in self.modules.items() if n > limits["module_lines"]
        ]
        bound = min(limits["function_lines"], LONG)
        functions = [(f.lines, f"{f.name}: {f.lines} lines") for f in self.functions if f.lines > bound]
        return [text for _, text in sorted(modules + functions, reverse=True)]


def measure(root: Path = ROOT) -> Sizes:
    """Measure every Python file of the folders that the ratchet holds."""
    modules: dict[str, int] = {}
    functions: list[Function] = []
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(EXEMPT):
            continue
        source = path.read_text("utf-8")
        modules[name] = len(source.splitlines())
        functions.extend(
            Function(f"{name}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        )
    return Sizes(modules, functions)


def recorded() -> dict[str, float]:
    """Read the numbers that hold."""
    numbers: dict[str, float] = json.loads(FILE.read_text("utf-8"))
    return numbers


def grown(sizes: Sizes, limits: dict[str, float]) -> list[str]:
    """Say what is larger than `limits`, a line each; empty when all is well."""
    now = sizes.numbers()
    found = [
        f"{name} is {now[name]:g}, recorded {limits[name]:g}" for name in limits if now[name] > limits[name]
    ]
    return [*found, *(f"  {culprit}" for culprit in sizes.culprits(limits))] if found else []


def main(arguments: list[str]) -> int:
    """Compare, or tighten; return the exit status."""
    sizes = measure()
    now = sizes.numbers()
    if found := grown(sizes, recorded()):
        print("Sizes may only fall. Split what is named here:", *found, sep="\n")
        return 1
    if "--tighten" in arguments:
        FILE.write_text(json.dumps(now, indent=2) + "\n", "utf-8")
    print("sizes:", ", ".join(f"{name} {value:g}" for name, value in now.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
