"""The table of tools, and what a tool declares of itself."""

from importlib import import_module

import pytest
from langchain_core.tools import StructuredTool

from motet.tools.base import TOOLS, USUAL, effect_of, fails_cleanly, idempotency_key, known_tools


def declaring(**metadata: str) -> StructuredTool:
    return StructuredTool.from_function(lambda: "done", name="one", description="One.", metadata=metadata)


def test_every_line_of_the_table_names_something_to_call() -> None:
    for target in TOOLS.values():
        module, _, attribute = target.partition(":")
        assert callable(getattr(import_module(module), attribute))
    assert known_tools().items() >= TOOLS.items()
    assert TOOLS.keys() >= USUAL


@pytest.mark.parametrize(
    ("declared", "effect"),
    [
        ({"effect": "pure"}, "pure"),
        ({"effect": "idempotent"}, "idempotent"),
        ({"effect": "often"}, "once"),
        ({}, "once"),
    ],
)
def test_a_tool_that_declares_nothing_known_may_be_called_once(declared: dict[str, str], effect: str) -> None:
    assert effect_of(declaring(**declared)) == effect


def test_only_a_tool_that_says_so_fails_cleanly() -> None:
    assert fails_cleanly(declaring(failure="clean"))
    assert not fails_cleanly(declaring(failure="dirty"))
    assert not fails_cleanly(declaring())


def test_there_is_no_key_outside_of_a_run() -> None:
    assert idempotency_key() == ""
