"""No file of Motet's reads data in a way that can run code (S-03)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "motet"

MODULES = {
    "cloudpickle",
    "dill",
    "joblib",
    "jsonpickle",
    "langchain_core.load",
    "langchain_core.prompts.loading",
    "langgraph.checkpoint.serde.encrypted",
    "langgraph.checkpoint.serde.jsonplus",
    "marshal",
    "pickle",
    "shelve",
}
"""Modules that build objects of what they read."""

CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "yaml.load",
    "torch.load",
    "numpy.load",
    "np.load",
    "runpy.run_path",
}


def dangers(source: str) -> list[str]:
    """Return what a source imports or calls of the two lists."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            found += sorted(names & MODULES)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            found.append(ast.unparse(node.func))
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_no_module_reads_dangerously(path: Path) -> None:
    assert dangers(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer",
        "from langchain_core import load",
        "import langchain_core.prompts.loading as x",
        "eval('1')",
        "import yaml\nyaml.load(x)",
    ],
)
def test_the_gate_sees_them(source: str) -> None:
    assert dangers(source) != []
